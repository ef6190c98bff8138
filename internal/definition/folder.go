package definition

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxFolder is the longest folder name in bytes. Longer ones are cut, so that a
// name with its temporary suffixes still fits the 255 bytes of common systems.
const maxFolder = 200

// cutMark begins the tail of a folder name that was cut. It is not a percent
// escape, so that a cut name can never equal one that was only encoded.
const cutMark = "%~"

// EncodeFolder returns the folder of a table: its name, with every byte outside
// [A-Za-z0-9_.-] as a percent escape, as are a leading "." or "-" and the first
// letter of a device name (CON, nul.txt, ...). What is then longer than 200
// bytes is cut and ends in a digest of the name. Different names have different
// folders.
func EncodeFolder(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if plainByte(c) && (i > 0 || c != '.' && c != '-' && !isDevice(name)) {
			b.WriteByte(c)
			continue
		}
		const digits = "0123456789ABCDEF"
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	if b.Len() <= maxFolder {
		return b.String()
	}
	sum := sha256.Sum256([]byte(name))
	tail := cutMark + hex.EncodeToString(sum[:16])
	head := b.String()[:maxFolder-len(tail)]
	if i := strings.LastIndexByte(head, '%'); i >= 0 && i > len(head)-3 {
		head = head[:i]
	}
	return head + tail
}

// DecodeFolder returns the name that EncodeFolder was given. It reports false
// for a folder that no name has, and for one that was cut.
func DecodeFolder(folder string) (string, bool) {
	var b []byte
	for i := 0; i < len(folder); i++ {
		if folder[i] != '%' {
			b = append(b, folder[i])
			continue
		}
		if i+3 > len(folder) {
			return "", false
		}
		v, err := hex.DecodeString(folder[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b = append(b, v[0])
		i += 2
	}
	name := string(b)
	return name, name != "" && EncodeFolder(name) == folder
}

func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// isDevice reports whether some systems take a file of that name, in any case
// and with any extension, for a device.
func isDevice(name string) bool {
	base, _, _ := strings.Cut(strings.ToUpper(name), ".")
	switch base {
	case "CON", "PRN", "AUX", "NUL":
		return true
	}
	return len(base) == 4 && (base[:3] == "COM" || base[:3] == "LPT") && base[3] >= '0' && base[3] <= '9'
}
