import { Argument, type Command } from 'commander'

/** Each script asks `netwhy __complete` and obeys its directive: files only when it says 0. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# netwhy completion for bash: source <(netwhy completion bash)
_netwhy() {
  local out line directive=0 cur="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  out=$("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) || return
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done <<<"$out"
  if [ "$directive" = 0 ] && [ \${#COMPREPLY[@]} -eq 0 ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -F _netwhy netwhy
`,
  zsh: `#compdef netwhy
# netwhy completion for zsh: source <(netwhy completion zsh)
_netwhy() {
  local -a found
  local out line directive=0
  out=$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null) || return
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *$'\\t'*) found+=("\${line%%$'\\t'*}:\${line#*$'\\t'}") ;;
      *) found+=("$line") ;;
    esac
  done <<<"$out"
  if (( \${#found} )); then _describe netwhy found; elif [[ $directive == 0 ]]; then _files; fi
}
compdef _netwhy netwhy
`,
  fish: `# netwhy completion for fish: netwhy completion fish | source
function __netwhy_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l out (command $words[1] __complete $words[2..-1] 2>/dev/null)
  set -l directive (string replace -r '^:' '' -- $out[-1])
  if test (count $out) -gt 1
    printf '%s\\n' $out[1..-2]
  else if test "$directive" = 0
    __fish_complete_path (commandline -ct)
  end
end
complete -c netwhy -f -a '(__netwhy_complete)'
`,
}

/** Declares \`netwhy completion\`. */
export function declareCompletion(program: Command): void {
  program
    .command('completion')
    .summary('Print a shell completion script')
    .description(
      'Print a completion script for your shell.\n\n  source <(netwhy completion bash)\n  netwhy completion fish | source',
    )
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .action((shell: string) => {
      process.stdout.write(SCRIPTS[shell]!)
    })
}
