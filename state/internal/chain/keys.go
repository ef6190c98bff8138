package chain

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The folders of a chain.
const (
	logFolder        = "log"
	checkpointFolder = "checkpoints"
	objectFolder     = "objects"
	backupFolder     = "backups" // of the caller
)

const serialDigits = 20

func logKey(serial uint64) string { return fmt.Sprintf("%s/%0*d", logFolder, serialDigits, serial) }

func checkpointKey(p Position) string {
	return fmt.Sprintf("%s/%0*d-%s", checkpointFolder, serialDigits, p.Serial, p.Digest)
}

func objectKey(name string) string { return objectFolder + "/" + name }

// parseSerial reads what the keys have for a serial.
func parseSerial(text string) (uint64, bool) {
	if len(text) != serialDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return n, err == nil && n > 0
}

// parseLogKey is the inverse of logKey. Other keys below the folder are not ours.
func parseLogKey(key string) (serial uint64, ok bool) {
	text, ok := strings.CutPrefix(key, logFolder+"/")
	if !ok {
		return 0, false
	}
	return parseSerial(text)
}

// parseCheckpointKey is the inverse of checkpointKey.
func parseCheckpointKey(key string) (p Position, ok bool) {
	text, ok := strings.CutPrefix(key, checkpointFolder+"/")
	serial, digest, _ := strings.Cut(text, "-")
	if !ok {
		return Position{}, false
	}
	if p.Serial, ok = parseSerial(serial); !ok {
		return Position{}, false
	}
	p.Digest, ok = parseDigest(digest)
	return p, ok
}

func parseDigest(text string) (d Digest, ok bool) {
	if len(text) != 2*len(d) || strings.ToLower(text) != text {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(text))
	return d, err == nil
}

// objectName is what the name of an object says. Serial is that of the record
// whose payload it holds, zero of all other objects.
type objectName struct {
	generation uint64
	digest     Digest
	serial     uint64
	nonce      string
}

func (n objectName) String() string {
	s := fmt.Sprintf("%012x-%s-%s", n.generation, n.digest, n.nonce)
	if n.serial > 0 {
		s += fmt.Sprintf("-%0*d", serialDigits, n.serial)
	}
	return s
}

// parseObjectName is the inverse of String.
func parseObjectName(name string) (n objectName, ok bool) {
	parts := strings.Split(name, "-")
	if len(parts) < 3 || len(parts) > 4 || len(parts[0]) < 12 || parts[2] == "" {
		return n, false
	}
	g, err := strconv.ParseUint(parts[0], 16, 64)
	if err != nil {
		return n, false
	}
	n.generation, n.nonce = g, parts[2]
	if n.digest, ok = parseDigest(parts[1]); ok && len(parts) == 4 {
		n.serial, ok = parseSerial(parts[3])
	}
	return n, ok
}

// ObjectGeneration returns the generation of the lease under which an object was made;
// false if no object has such a name.
func ObjectGeneration(name string) (uint64, bool) {
	n, ok := parseObjectName(name)
	return n.generation, ok
}
