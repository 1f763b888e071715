//go:build !linux && !darwin

package pluginhost

import "errors"

// peerOf cannot be asked here: plugins need a certificate.
func peerOf(uintptr) (peer, error) {
	return peer{}, errors.New("this system does not tell; a plugin needs a certificate here")
}
