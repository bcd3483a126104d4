package main

import (
	"fmt"
	"net"
)

// deadEnd is an address where nobody listens: proxies there make a verifier's every look
// at the network fail, where the system does not let the matrix cut it off.
func deadEnd() []string {
	var out []string
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
		out = append(out, name+"=http://127.0.0.1:9")
	}
	return append(out, "NO_PROXY=", "no_proxy=")
}

// cutOff says whether this process has no network but itself.
func cutOff() (bool, error) {
	all, err := net.Interfaces()
	if err != nil {
		return false, fmt.Errorf("look for the network: %w", err)
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return false, nil
		}
	}
	return true, nil
}
