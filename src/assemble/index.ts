/** Snapshot → network and Kubernetes objects. */
export { assemble } from './assemble.ts'
