package pluginhost

import "golang.org/x/sys/unix"

// peerOf asks the kernel who called listen on the other end of a socket.
func peerOf(fd uintptr) (peer, error) {
	c, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	pid, err := unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	return peer{pid: pid, uid: int(c.Uid)}, err
}
