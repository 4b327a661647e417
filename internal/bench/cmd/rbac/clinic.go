package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// questions is how many questions a workload has, half of them to be allowed.
const questions = 8192

const (
	practices   = 200
	perCompany  = 8  // practices of a tenant
	perUser     = 10 // patients for each user
	ownPatients = 50 // of each therapist and nurse
)

func roles() []string {
	return []string{
		"clinic_admin", "manager", "records", "front_desk", "scheduler", "biller", "supervisor",
		"auditor", "therapist", "nurse",
	}
}

// clinic is a workload: what is granted, to whom, about whom.
type clinic struct {
	actions []string            // "type0.read" …
	perms   map[string][]string // by role
	granted map[string]bool     // "role action"
	users   []user
	patient []patient
	care    map[[2]int]bool // user, patient
	cares   [][]int         // the same: by user, in order
	inCare  careMap         // the same as the host keeps it
	asked   []question
	answers []bool
}

type user struct {
	id        string
	tenant    int
	role      string
	practices []int
}

type patient struct {
	id       string
	practice int
}

type question struct{ user, action, patient int }

// inRow is how many questions a request asks about one person: the records of a page.
const inRow = 16

// newClinic makes the workload of n users: 40 % therapists and nurses with 50 patients in care,
// 10 % billers for four of their company's eight practices. each is how many questions in a row
// are about one person.
func newClinic(n, each int) *clinic {
	c := &clinic{perms: map[string][]string{}, granted: map[string]bool{}, care: map[[2]int]bool{}}
	rnd := rand.New(rand.NewPCG(1, 2))
	for t := range 15 {
		for _, verb := range []string{"read", "create", "update", "delete"} {
			c.actions = append(c.actions, fmt.Sprintf("type%d.%s", t, verb))
		}
	}
	for i, role := range roles() {
		for a, action := range c.actions {
			if i == 0 || (a*7+i*11)%6 == 0 {
				c.perms[role] = append(c.perms[role], action)
				c.granted[role+" "+action] = true
			}
		}
	}
	for i := range n * perUser {
		c.patient = append(c.patient, patient{fmt.Sprintf("patient-%06d", i), i % practices})
	}
	for i := range n {
		c.hire(i)
	}
	c.relate()
	c.ask(rnd, each)
	return c
}

// relate keeps the relation as a host reads it from its table: one person after the other, in ids
// of its own.
func (c *clinic) relate() {
	c.cares = make([][]int, len(c.users))
	for pair := range c.care {
		c.cares[pair[0]] = append(c.cares[pair[0]], pair[1])
	}
	c.inCare = make(careMap, len(c.users))
	for u, list := range c.cares {
		slices.Sort(list)
		if len(list) == 0 {
			continue
		}
		patients := make([]audit.Patient, 0, len(list))
		for _, p := range list {
			patients = append(patients, audit.Patient(strings.Clone(c.patient[p].id)))
		}
		slices.Sort(patients)
		c.inCare[audit.ActorID(strings.Clone(c.users[u].id))] = patients
	}
}

func (c *clinic) hire(i int) {
	home := i % practices
	u := user{fmt.Sprintf("user-%06d", i), home / perCompany, roles()[(i/practices)%5], []int{home}}
	switch k := i % 10; {
	case k < 4:
		u.role = "therapist"
		if i%3 == 0 {
			u.role = "nurse"
		}
		for j := range ownPatients { // of the practice
			c.care[[2]int{i, (home + ((i/practices)*37+j*3)*practices) % len(c.patient)}] = true
		}
	case k == 4:
		u.role = "biller"
		for p := 1; p < 4; p++ {
			u.practices = append(u.practices, u.tenant*perCompany+(home+p)%perCompany)
		}
	}
	c.users = append(c.users, u)
}

// allowed is the truth.
func (c *clinic) allowed(q question) bool {
	u, p := c.users[q.user], c.patient[q.patient]
	if !c.granted[u.role+" "+c.actions[q.action]] {
		return false
	}
	if own(u.role) {
		return c.care[[2]int{q.user, q.patient}]
	}
	for _, practice := range u.practices {
		if practice == p.practice {
			return true
		}
	}
	return false
}

func own(role string) bool { return role == "therapist" || role == "nurse" }

// ask makes the questions: half of the answers are yes, and every second no is about an action
// that the role has.
func (c *clinic) ask(rnd *rand.Rand, each int) {
	for u := 0; len(c.asked) < questions; {
		if len(c.asked)%each == 0 {
			u = rnd.IntN(len(c.users))
		}
		q := question{u, rnd.IntN(len(c.actions)), rnd.IntN(len(c.patient))}
		yes := len(c.asked)%2 == 0
		if yes || rnd.IntN(2) == 0 {
			q.action = c.action(c.users[u].role, rnd)
		}
		if yes {
			q.patient = c.users[u].practices[0] + practices*rnd.IntN(len(c.patient)/practices)
			if own(c.users[u].role) {
				q.patient = c.cares[u][rnd.IntN(len(c.cares[u]))]
			}
		}
		if c.allowed(q) == yes {
			c.asked, c.answers = append(c.asked, q), append(c.answers, yes)
		}
	}
}

func (c *clinic) action(role string, rnd *rand.Rand) int {
	name := c.perms[role][rnd.IntN(len(c.perms[role]))]
	for i, a := range c.actions {
		if a == name {
			return i
		}
	}
	return 0
}

func tenantName(i int) string   { return fmt.Sprintf("company-%02d", i) }
func practiceName(i int) string { return fmt.Sprintf("practice-%03d", i) }
