package sessionredis

import (
	"embed"
)

//go:embed scripts/*.lua
var sources embed.FS

// op is one of the scripts.
type op int

const (
	opGet op = iota
	opPeek
	opCreate
	opTouch
	opList
	opRevoke
	opLock
	opRotate
	opPut
	opConsume
	opDrop
	opStamp
	opBegin
	opFinish
	opHeal
	ops
)

// once says that a script must not run twice for one call.
func (o op) once() bool {
	switch o {
	case opCreate, opRevoke, opLock, opRotate, opPut, opConsume:
		return true
	}
	return false
}

// scriptNames are the files without their ending. What is only ever made smaller or moved on
// is also allowed where Redis's memory is full: an end must be possible then.
func scriptNames() [ops]struct {
	name string
	full bool
} {
	return [ops]struct {
		name string
		full bool
	}{
		opGet: {"get", true}, opPeek: {"peek", true}, opCreate: {"create", false}, opTouch: {"touch", true}, opList: {"list", true},
		opRevoke: {"revoke", true}, opLock: {"lock", true}, opRotate: {"rotate", false}, opPut: {"put", false},
		opConsume: {"consume", true}, opDrop: {"drop", true}, opStamp: {"stamp", true}, opBegin: {"begin", true},
		opFinish: {"finish", true}, opHeal: {"heal", true},
	}
}

// generation is the scripts of one server's term of office: their text names it, and so do
// their hashes, which the server gives when it loads them.
type generation struct {
	name string
	text [ops]string
	sha  [ops]string
}

// newGeneration writes the scripts. Their first line has them refused by replicas, and by a
// primary that may not write.
func newGeneration(name string) *generation {
	g := &generation{name: name}
	common := source("common")
	for i, s := range scriptNames() {
		flags := "#!lua"
		if s.full {
			flags += " flags=allow-oom"
		}
		g.text[i] = flags + "\nlocal gen = '" + name + "'\n" + common + source(s.name)
	}
	return g
}

func source(name string) string {
	b, err := sources.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic("sessionredis: " + err.Error()) // it is embedded
	}
	return string(b)
}
