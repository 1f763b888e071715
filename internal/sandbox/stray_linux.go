package sandbox

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// mostRounds bounds how often strays are looked for: what is killed may just have started another one.
const mostRounds = 20

// EndStrays ends what a program started and put into a group of its own, where EndGroup does not reach it. Everything it started
// has inherited, unless it took care to forget it, an environment that names the program's own folder, or something inside.
func EndStrays(folder string) {
	if folder == "" {
		return
	}
	for range mostRounds {
		found := false
		for _, pid := range Marked(folder) {
			found = endMarked(pid, folder) || found
		}
		if !found {
			return
		}
	}
}

// Marked lists the processes, besides this one, whose environment names a folder or something inside.
func Marked(folder string) (pids []int) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(filepath.Base(e)); err == nil && pid != os.Getpid() && isMarked(pid, folder) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// isMarked reads the environment with which a process was started. Those of other users cannot be read, and are none of ours.
func isMarked(pid int, folder string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	return err == nil && (bytes.Contains(env, []byte("="+folder+"\x00")) || bytes.Contains(env, []byte("="+folder+"/")))
}

// endMarked kills a process by a handle, so that another one which has got its number meanwhile is left alone.
func endMarked(pid int, folder string) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return isMarked(pid, folder) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}
