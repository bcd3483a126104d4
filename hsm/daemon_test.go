package hsm_test

func runIfDaemon() {}
