package pluginhost

import "golang.org/x/sys/unix"

// peerOf asks the kernel who called listen on the other end of a socket.
func peerOf(fd uintptr) (peer, error) {
	c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	return peer{pid: int(c.Pid), uid: int(c.Uid)}, nil
}
