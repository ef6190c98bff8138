package engine

import (
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

var flagFullDisks = flag.Int("fulldisks", 2, "disks of a little room on which each case is applied")

// diskEnv tells the child of TestFullDisk where to mount its disk.
const diskEnv = "ENGINE_TEST_DISK"

// TestFullDisk applies on a disk that has too little room, of another size each time:
// that is an error or holds tables, nothing half is visible, and with room all is
// well. The disk is in memory, in a namespace in which this process is root.
func TestFullDisk(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDiskChild$", "-test.count=1", "-test.v",
		fmt.Sprintf("-fulldisks=%d", *flagFullDisks), fmt.Sprintf("-killseed=%d", *flagKillSeed))
	cmd.Env = append(os.Environ(), diskEnv+"="+t.TempDir())
	t.Log(inNamespace(t, cmd))
}

// TestFullDiskChild runs the cases on a disk of its own.
func TestFullDiskChild(t *testing.T) {
	disk := os.Getenv(diskEnv)
	if disk == "" {
		t.Skip("it is what TestFullDisk runs in a process of its own")
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal("cannot mount", err)
	}
	t.Setenv("TMPDIR", disk)
	full := 0
	for i, c := range killCases() {
		t.Run(c.name, func(t *testing.T) {
			r := rand.New(rand.NewSource(*flagKillSeed + int64(i)))
			b := newKillBed(t, c, nil)
			for range *flagFullDisks {
				b.restore()
				if b.applyInRoom(disk, r.Int63n(150<<10)) {
					full++
				}
				b.checkBroken()
				b.heal()
			}
		})
	}
	if full == 0 && !t.Failed() {
		t.Error("the disk was never full")
	}
}

// applyInRoom applies while the disk has only so many bytes free, and reports
// whether they were too few.
func (b *killBed) applyInRoom(disk string, room int64) bool {
	b.t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(disk, &fs); err != nil {
		b.t.Fatal(err)
	}
	ballast := filepath.Join(b.dir, "ballast")
	f, err := os.Create(ballast)
	if err == nil {
		err = unix.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bfree)*fs.Bsize-room)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.apply()
	if err := os.Remove(ballast); err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("room for %d bytes: %v", room, err)
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		b.t.Fatal(err)
	}
	return err != nil || res.Partial()
}
