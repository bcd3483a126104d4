//go:build unix && !linux

package hsm

import "syscall"

// workerAttr keeps a terminal's interrupt from the worker: the daemon ends its workers
// itself, after its last order.
func workerAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
