package incident

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/wardkit/wardkit/audit"
)

// Affected is one patient whose information is concerned.
type Affected struct {
	Patient audit.Patient `json:"patient"`
	Region  string        `json:"region"` // State or jurisdiction of residence, a code; empty: not known
}

// errMoved: the case changed while its list was read.
var errMoved = errors.New("incident: changed while it was read")

// rereads is how often a list is read anew that changed meanwhile.
const rereads = 3

// AddAffected adds patients to the list of a case, MaxBatch at a time. Who is on it already gets the
// new region. Store and audit log hold no patient of it in clear.
func (d *Desk) AddAffected(ctx context.Context, id string, version int64, list []Affected, why string) (Case, error) {
	return d.relist(ctx, id, version, list, nil, why)
}

// DropAffected takes patients off the list who are not affected after all.
func (d *Desk) DropAffected(ctx context.Context, id string, version int64, list []audit.Patient, why string) (Case, error) {
	return d.relist(ctx, id, version, nil, list, why)
}

func (d *Desk) relist(ctx context.Context, id string, version int64, add []Affected, drop []audit.Patient, why string) (Case, error) {
	if n := len(add) + len(drop); n == 0 || n > MaxBatch {
		return Case{}, wrong("affected")
	}
	for _, a := range add {
		if !isID(string(a.Patient)) || a.Region != "" && !isCode(a.Region) {
			return Case{}, wrong("affected")
		}
	}
	return d.work(ctx, id, version, op{action: ActionAffected, text: why}, func(c *Case, o *op) error {
		on, err := d.onList(ctx, c)
		if err != nil {
			return err
		}
		for _, p := range drop {
			if have, ok := on[p]; ok {
				c.seals.toggle(Affected{p, have})
				delete(on, p)
				o.drop = append(o.drop, c.seals.key(p))
			}
		}
		if err := d.enlist(ctx, c, o, on, add); err != nil {
			return err
		}
		counts := map[string]int{}
		for _, region := range on {
			counts[region]++
		}
		if len(counts) > MaxCounts || len(on) > MaxPeople {
			return ErrFull
		}
		c.Listed = nil
		for region, n := range counts {
			c.Listed = append(c.Listed, Count{region, n})
		}
		slices.SortFunc(c.Listed, func(a, b Count) int { return strings.Compare(a.Region, b.Region) })
		o.detail = strconv.Itoa(len(on))
		o.codes = map[string]string{"listed": o.detail}
		return nil
	})
}

// enlist seals who is new and puts them on the list.
func (d *Desk) enlist(ctx context.Context, c *Case, o *op, on map[audit.Patient]string, add []Affected) error {
	fresh := map[audit.Patient]string{}
	for _, a := range add {
		fresh[a.Patient] = a.Region
	}
	for p, region := range fresh {
		if have, ok := on[p]; ok {
			if have == region {
				continue
			}
			c.seals.toggle(Affected{p, have})
		}
		a := Affected{p, region}
		c.seals.toggle(a)
		on[p] = region
		plain, err := json.Marshal(a)
		if err != nil {
			return unavailable("encoding", err)
		}
		key := c.seals.key(p)
		sealed, err := d.seal(ctx, c.Tenant, personLabel(key), plain)
		if err != nil {
			return err
		}
		o.add = append(o.add, Person{key, sealed})
	}
	return nil
}

// onList reads the list of a case and proves it. errMoved if the case changed meanwhile.
func (d *Desk) onList(ctx context.Context, c *Case) (map[audit.Patient]string, error) {
	on, s := map[audit.Patient]string{}, c.seals
	for p, err := range d.p.Store.People(ctx, c.Tenant, c.ID) {
		if err != nil {
			return nil, unavailable("reading the people affected", err)
		}
		plain, err := d.unseal(ctx, c.Tenant, personLabel(p.Key), p.Body)
		if err != nil {
			return nil, err
		}
		var a Affected
		if err := strict(plain, &a); err != nil || string(s.key(a.Patient)) != string(p.Key) {
			return nil, ErrDamaged
		}
		if _, twice := on[a.Patient]; twice {
			return nil, ErrDamaged
		}
		on[a.Patient] = a.Region
		s.toggle(a)
	}
	if s.Sum == [32]byte{} {
		return on, nil
	}
	now, err := d.read(ctx, c.Tenant, c.ID)
	switch {
	case err != nil:
		return nil, err
	case now.Version != c.Version:
		return nil, errors.Join(ErrConflict, errMoved)
	}
	return nil, ErrDamaged
}

// Affected yields who is on the list of a case, in no order that says anything. The whole list is
// proven before the first is yielded; ErrDamaged if somebody was added or taken out behind the desk's
// back. Whoever serves it records that.
func (d *Desk) Affected(ctx context.Context, id string) iter.Seq2[Affected, error] {
	return func(yield func(Affected, error) bool) {
		var on map[audit.Patient]string
		err := errMoved
		for i := 0; i < rereads && errors.Is(err, errMoved); i++ {
			var c Case
			if c, err = d.Get(ctx, id); err == nil {
				on, err = d.onList(ctx, &c)
			}
		}
		if err != nil {
			yield(Affected{}, err)
			return
		}
		for p, region := range on {
			if !yield(Affected{p, region}, nil) {
				return
			}
		}
	}
}

// Estimate says how many people are affected where they are not all listed, by region. It replaces
// the estimate before.
func (d *Desk) Estimate(ctx context.Context, id string, version int64, list []Count, why string) (Case, error) {
	seen, total := map[string]bool{}, 0
	for _, n := range list {
		if seen[n.Region] || n.N < 1 || n.N > 1e9 || n.Region != "" && !isCode(n.Region) {
			return Case{}, wrong("estimate")
		}
		seen[n.Region], total = true, total+n.N
	}
	if len(list) > MaxCounts {
		return Case{}, ErrFull
	}
	o := op{action: ActionAffected, text: why, detail: "about " + strconv.Itoa(total), codes: map[string]string{"estimate": strconv.Itoa(total)}}
	return d.work(ctx, id, version, o, func(c *Case, _ *op) error {
		c.Estimate = slices.Clone(list)
		return nil
	})
}
