package dump

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// foreign says what a file is that is to be JSON and is something else that people meet;
// empty if it is none of these.
func foreign(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}):
		return "it is packed with gzip: store it as it was before"
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		return "it is in UTF-16: store it in UTF-8"
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("<")):
		return errorPage(data)
	}
	return ""
}

var errorCode = regexp.MustCompile(`<Code>([A-Za-z0-9.]{1,80})</Code>`)

func errorPage(data []byte) string {
	if m := errorCode.FindSubmatch(data[:min(len(data), 4<<10)]); m != nil {
		return fmt.Sprintf("it is the error message %s of an S3 server, not what was asked for there", m[1])
	}
	return "it is XML or HTML, as the page of a server that answers instead of the store"
}

// around says where in a text an offset is, and what stands there.
func around(text string, offset int) string {
	offset = min(max(offset, 0), len(text))
	line := strings.Count(text[:offset], "\n") + 1
	begin := strings.LastIndexByte(text[:offset], '\n') + 1
	at := fmt.Sprintf("in line %d, column %d", line, utf8.RuneCountInString(text[begin:offset])+1)
	rest, _, _ := strings.Cut(text[offset:], "\n")
	if rest = strings.TrimSpace(rest); rest == "" {
		return at
	}
	const most = 30
	if short := []rune(rest); len(short) > most {
		rest = string(short[:most]) + "..."
	}
	return fmt.Sprintf("%s, at %q", at, rest)
}

// notAnObject says of JSON text that it is no object.
func notAnObject(text string) string {
	if strings.HasPrefix(strings.TrimLeft(text, "\ufeff \t\r\n"), "[") {
		return "it is a list, and not one JSON object"
	}
	return "it is not a JSON object"
}
