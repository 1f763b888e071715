package pluginhost

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// mostRounds bounds how often strays are looked for: what is killed may just have started another one.
const mostRounds = 20

// killStrays ends what a process started and put into a group of its own, where sandbox.EndGroup does not reach it. Everything it
// started has inherited, unless it took care to forget it, an environment that names the process's own folder.
func killStrays(folder string) {
	if folder == "" {
		return
	}
	for range mostRounds {
		found := false
		for _, pid := range marked(folder) {
			found = killMarked(pid, folder) || found
		}
		if !found {
			return
		}
	}
}

// EndStrays ends every process whose environment names a folder or something inside, and tells whether there was one. It is
// for those who start programs as the host does, with a folder of their own.
func EndStrays(folder string) (found bool) {
	found = len(marked(folder)) > 0
	killStrays(folder)
	return found
}

// marked lists the processes whose environment names a folder or something inside.
func marked(folder string) (pids []int) {
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

// killMarked kills a process by a handle, so that another one which has got its number meanwhile is left alone.
func killMarked(pid int, folder string) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return isMarked(pid, folder) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
}
