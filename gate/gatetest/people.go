package gatetest

import "github.com/countersign/countersign/gate"

// Forge is the forge of every identity in this package.
const Forge gate.ForgeID = "github"

// Ana wrote the change and asks for the release.
func Ana() gate.Account { return person(101, "ana") }

// Bo reviewed the change and approves the release.
func Bo() gate.Account { return person(102, "bo") }

// Acme owns the repository.
func Acme() gate.AccountID { return gate.AccountID{Forge: Forge, ID: 9000} }

// Repository is acme/app.
func Repository() gate.RepositoryID { return gate.RepositoryID{Forge: Forge, ID: 1296269} }

func person(id int64, login string) gate.Account {
	return gate.Account{ID: gate.AccountID{Forge: Forge, ID: id}, Login: login, Human: true}
}
