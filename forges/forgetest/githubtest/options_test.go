package githubtest_test

import "github.com/countersign/countersign/forges/forgetest/githubtest"

func optionsOf() githubtest.Options { return githubtest.Options{} }
