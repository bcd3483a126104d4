package store

//go:generate sqlc generate
