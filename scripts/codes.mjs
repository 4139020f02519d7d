// Writes docs/codes.md from the table of finding codes in src/diagnose/codes.ts.
// usage: node scripts/codes.mjs [--check]     --check: writes nothing, exits 1 when the page is out of date
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const page = join(root, 'docs/codes.md')

/** The page for these tables. Exported, so that a test compares it with the file. */
export function codesPage(codes, reserved) {
  const areas = [...new Set([...Object.values(codes).map((c) => c.area), ...Object.keys(reserved)])]
  const parts = areas.map((area) => {
    const mine = Object.entries(codes).filter(([, c]) => c.area === area)
    const later = reserved[area] ?? []
    const text = mine.map(
      ([code, c]) => `### \`${code}\`\n\n${c.meaning}\n\n- Proof: ${c.proof}\n- Remedy: ${c.remedy}\n`,
    )
    if (later.length > 0) text.push(`Not reported yet: ${later.map((c) => `\`${c}\``).join(', ')}.\n`)
    return `## ${area}\n\n${text.join('\n')}`
  })
  return `# Finding codes

One code, one cause that has one remedy. Codes are API: new ones come, none is renamed. netwhy reports ${Object.keys(codes).length} codes now;
${Object.values(reserved).flat().length} more have a reserved meaning and are not reported yet.

Made by \`node scripts/codes.mjs\` from \`src/diagnose/codes.ts\`; change it there.

${parts.join('\n')}`
}

async function main() {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'src/diagnose/codes.ts')],
    bundle: true,
    format: 'esm',
    write: false,
  })
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
  const { CODES, RESERVED } = await import(url)
  const text = codesPage(CODES, RESERVED)
  if (!process.argv.includes('--check')) writeFileSync(page, text)
  else if (readFileSync(page, 'utf8') !== text) {
    process.stderr.write('docs/codes.md is out of date: run `node scripts/codes.mjs`\n')
    process.exitCode = 1
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main()
