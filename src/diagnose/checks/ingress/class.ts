/** `ingress-class-missing`, `ingress-controller-down`: does anybody serve this Ingress? */
import { type IngressClassObject, type IngressObject, ingressClassesOf, ingressesOf } from '../../../kubeobj/ingress.ts'
import type { ClusterCheck, ClusterFinding, ClusterState } from '../../cluster/check.ts'
import { clusterFinding } from '../../cluster/finding.ts'
import { podProof } from '../../view/object-proof.ts'
import { isReady, podName } from '../../view/pod-view.ts'
import { shellWord } from '../../view/words.ts'
import { allControllerPods, controllerPods } from './controller.ts'

const OBJECT = [{ kind: 'object' as const }]
const name = (i: IngressObject) => `${i.meta.namespace}/${i.meta.name}`

/** An Ingress that names no class, or one that does not exist, is passed over by every controller of v1 of the API. */
export const ingressClass: ClusterCheck = {
  name: 'ingress-class-missing',
  find({ objects }) {
    if (!objects.known.has('IngressClass')) return []
    const classes = ingressClassesOf(objects)
    const running = allControllerPods(objects)
    return ingressesOf(objects).flatMap((i): ClusterFinding[] => {
      if (i.served) return []
      if (i.className === undefined) return classless(i, classes)
      // The annotation is matched by the controllers themselves, without any IngressClass object.
      if (i.classBy === 'annotation' || classes.some((c) => c.meta.name === i.className)) return []
      return [
        clusterFinding('ingress-class-missing', {
          severity: 'error',
          title: `Ingress ${name(i)} wants class ${i.className}, which does not exist`,
          text: `No IngressClass is named ${i.className}${classes.length > 0 ? `; there ${classes.length === 1 ? 'is' : 'are'} ${listed(classes)}` : ' and there is none at all'}. No controller takes the Ingress up: clients get the default backend's 404, or nothing.`,
          where: { object: `Ingress ${name(i)}` },
          concerns: OBJECT,
          evidence: [
            { ...i.evidence, text: `${i.evidence.text}: ingressClassName ${i.className}; status without address` },
            ...classes.slice(0, 4).map((c) => c.evidence),
            ...running.slice(0, 2).map(podProof),
          ],
          remedy: setClass(i, classes),
        }),
      ]
    })
  },
}

function classless(i: IngressObject, classes: readonly IngressClassObject[]): ClusterFinding[] {
  // Clusters without any class object: some providers (GCE) serve such Ingresses and only show it in the status.
  if (classes.length === 0 || classes.some((c) => c.isDefault)) return []
  return [
    clusterFinding('ingress-class-missing', {
      severity: 'error',
      title: `Ingress ${name(i)} names no class and no class is the default`,
      text: `The Ingress has no ingressClassName, and of the classes here (${listed(classes)}) none is marked default. Controllers only take up Ingresses of their own class, so clients get "404 default backend"; the 404 is not the application's.`,
      where: { object: `Ingress ${name(i)}` },
      concerns: OBJECT,
      evidence: [
        { ...i.evidence, text: `${i.evidence.text}: no ingressClassName; status without address` },
        ...classes
          .slice(0, 4)
          .map((c) => ({ ...c.evidence, text: `${c.evidence.text}: controller ${c.controller}; not default` })),
      ],
      remedy: setClass(i, classes),
    }),
  ]
}

function listed(classes: readonly IngressClassObject[]): string {
  return classes
    .slice(0, 5)
    .map((c) => c.meta.name)
    .join(', ')
}

function setClass(i: IngressObject, classes: readonly IngressClassObject[]) {
  const only = classes.length === 1 ? classes[0]?.meta.name : undefined
  const patch = JSON.stringify({ spec: { ingressClassName: only } })
  return {
    text: only
      ? `Give the Ingress the class ${only}.`
      : 'Give the Ingress the class of the controller that is to serve it.',
    ...(only
      ? {
          commands: [
            `kubectl -n ${shellWord(i.meta.namespace)} patch ingress ${shellWord(i.meta.name)} --type merge -p ${shellWord(patch)}`,
          ],
        }
      : {}),
  }
}

/** The controller of a class that Ingresses use has no Ready pod, or no pod at all. */
export const ingressController: ClusterCheck = {
  name: 'ingress-controller-down',
  find({ objects }: ClusterState) {
    if (!objects.known.has('Pod')) return []
    const ingresses = ingressesOf(objects)
    return ingressClassesOf(objects).flatMap((c): ClusterFinding[] => {
      const users = ingresses.filter((i) => i.className === c.meta.name || (i.className === undefined && c.isDefault))
      const behind = controllerPods(objects, c)
      if (users.length === 0 || !behind || behind.pods.some(isReady)) return []
      const { pods } = behind
      // Without pods it may run elsewhere; an address in the status says that it did its work once.
      const none = pods.length === 0
      if (none && users.some((i) => i.served)) return []
      return [
        clusterFinding('ingress-controller-down', {
          severity: none ? 'warning' : 'error',
          title: none
            ? `no controller runs for IngressClass ${c.meta.name} (${behind.name})`
            : `no pod of the ingress controller ${behind.name} is Ready`,
          text: none
            ? `${users.length} Ingress${users.length === 1 ? '' : 'es'} (${users.slice(0, 3).map(name).join(', ')}) ask for class ${c.meta.name}, whose controller is ${c.controller}. No pod of it runs in the cluster.`
            : `${pods.map(podName).slice(0, 3).join(', ')} serve${pods.length === 1 ? 's' : ''} the Ingresses of class ${c.meta.name} (${users.slice(0, 3).map(name).join(', ')}), and none is Ready: clients are refused or get no answer.`,
          where: { object: `IngressClass ${c.meta.name}` },
          concerns: OBJECT,
          evidence: [c.evidence, ...pods.slice(0, 4).map(podProof), ...users.slice(0, 3).map((i) => i.evidence)],
          remedy: none
            ? { text: `Install the controller ${behind.name}, or give the Ingresses the class of one that runs.` }
            : {
                text: 'Find out why the controller is not Ready.',
                commands: pods
                  .slice(0, 2)
                  .flatMap((p) => [
                    `kubectl -n ${shellWord(p.meta.namespace)} describe pod ${shellWord(p.meta.name)}`,
                    `kubectl -n ${shellWord(p.meta.namespace)} logs ${shellWord(p.meta.name)} --all-containers --tail 50`,
                  ]),
              },
        }),
      ]
    })
  },
}
