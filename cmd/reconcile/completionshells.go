package main

import (
	"context"
	"fmt"
	"strings"
)

// completedLine is completed for bash: line is all up to the cursor, and word what bash
// takes for the word there, which begins behind a = or a colon. What comes back stands in
// the place of that word, and is quoted.
func (s *session) completedLine(ctx context.Context, line, word string) []string {
	words, raw, quote := splitLine(line)
	if len(words) < 2 {
		return nil
	}
	prefix := strings.NewReplacer(`"`, "", `'`, "").Replace(strings.TrimSuffix(raw, word))
	var out []string
	for _, w := range s.completed(ctx, words[1:]) {
		switch {
		case w == filesFollow:
			out = append(out, w)
			continue
		case quote == 0:
			w = quotedForBash(w)
		case strings.ContainsAny(w, "'\"$`\\!"):
			continue
		}
		if rest, ok := strings.CutPrefix(w, prefix); ok {
			out = append(out, rest)
		}
	}
	return out
}

// splitLine splits a line as bash does where nothing is substituted. raw is the last word as
// it stands there, and quote the quotation mark that is open in it.
func splitLine(line string) (words []string, raw string, quote rune) {
	var word strings.Builder
	start, inWord, escaped := 0, false, false
	for i, r := range line {
		if !inWord && !strings.ContainsRune(" \t", r) {
			inWord, start = true, i
		}
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case quote == 0 && inWord && strings.ContainsRune(" \t", r):
			words = append(words, word.String())
			word.Reset()
			inWord, start = false, i+1
		case inWord:
			word.WriteRune(r)
		}
	}
	if !inWord {
		start = len(line)
	}
	return append(words, word.String()), line[start:], quote
}

// quotedForBash quotes a word that stands outside of quotation marks.
func quotedForBash(w string) string {
	var b strings.Builder
	for _, r := range w {
		if r < 0x80 && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:@%+,", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// completionScripts are what the shells run.
func completionScripts() map[string]string {
	return map[string]string{"bash": fmt.Sprintf(`# bash completion for reconcile: eval "$(reconcile completion bash)"
_reconcile() {
  local candidate
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [[ $candidate == %[1]s ]]; then
      compopt -o default 2>/dev/null
      continue
    fi
    COMPREPLY+=("$candidate")
    if [[ $candidate == *= ]]; then compopt -o nospace 2>/dev/null; fi
  done < <("${COMP_WORDS[0]}" completion bash-line -- "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
}
complete -F _reconcile reconcile
`, filesFollow), "zsh": fmt.Sprintf(`#compdef reconcile
# zsh completion for reconcile: eval "$(reconcile completion zsh)" after compinit
_reconcile() {
  local candidate
  local -a whole begun
  local -i withfiles=0
  while IFS= read -r candidate; do
    case $candidate in
      %[1]s) withfiles=1 ;;
      *=) begun+=("$candidate") ;;
      *) whole+=("$candidate") ;;
    esac
  done < <("${(Q)words[1]}" completion words -- "${(@Q)words[2,CURRENT]}" 2>/dev/null)
  (( $#whole )) && compadd -- "${whole[@]}"
  (( $#begun )) && compadd -S '' -- "${begun[@]}"
  if (( withfiles )); then
    compset -P '-*='
    _files
  fi
}
compdef _reconcile reconcile
`, filesFollow), "fish": fmt.Sprintf(`# fish completion for reconcile: reconcile completion fish | source
function __reconcile_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct | string unescape)
    for candidate in ($words[1] completion words -- $words[2..] "$word" 2>/dev/null)
        if test $candidate = %[1]s
            set -l flag (string match -r '^-[^=]*=' -- $word; or echo)
            for path in (__fish_complete_path (string replace -r '^-[^=]*=' '' -- $word))
                echo "$flag$path"
            end
        else
            echo $candidate
        end
    end
end
complete -c reconcile -f -a '(__reconcile_complete)'
`, filesFollow)}
}
