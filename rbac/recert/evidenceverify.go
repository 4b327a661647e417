package recert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Verified is what a bundle proved by itself: that it is whole, that the population is the one that was
// frozen, that the content is the one that was signed and could be, and that table and summary say the
// same.
//
// Whoever can write a bundle can write another one. What proves that it is the one of this campaign is
// in the audit log, which neither the campaign's people nor the database's can change unseen. Compare it
// with the event of the sign-off, by Anchored: that proves all of it. The event of the start proves only
// the population, and ActionEvidence, which has Digest, that these bytes were handed out.
//
// Look in the log too whether the campaign has a second event ActionSignOff that succeeded and is not
// followed by one that failed: then somebody opened it again behind the log's back, and the first one
// says what was signed.
type Verified struct {
	Campaign Campaign // without what changes after a sign-off
	Items    []Item
	Summary  Summary
	SignOff  SignOff // zero: nobody has signed yet
	Records  int     // lines of the bundle
	Digest   string  // Bundle.Digest
}

// VerifyBundle reads a bundle, Bundle.JSON, and checks all of it, without a database, a key or a
// network. Any byte, line or record that is changed, left out, added or put elsewhere, and a bundle
// that ends early, is ErrBundle, a *BundleError. Other errors are those of r.
func VerifyBundle(r io.Reader) (Verified, error) {
	b := &bundleReader{chain: readChain(r)}
	if err := b.read(); err != nil {
		return Verified{}, err
	}
	if err := b.check(); err != nil {
		return Verified{}, err
	}
	b.v.Records, b.v.Digest = b.chain.n, b.chain.digest()
	return b.v, nil
}

// VerifyTable reads Bundle.CSV and compares it with the bundle: another table is ErrBundle.
func (v *Verified) VerifyTable(r io.Reader) error {
	want := table(&v.Campaign, v.Items)
	have, err := io.ReadAll(io.LimitReader(r, int64(len(want))+1))
	switch {
	case err != nil:
		return fmt.Errorf("recert: reading a table: %w", err)
	case !bytes.Equal(have, want):
		return &BundleError{Why: "the table is another one"}
	}
	return nil
}

// bundleReader reads the records of a bundle in their order.
type bundleReader struct {
	chain *chainReader
	v     Verified
	end   endRecord
}

func (b *bundleReader) read() error {
	var head campaignRecord
	kind, err := b.next(&head, nil)
	if err != nil {
		return err
	}
	c := &head.Campaign
	if kind != recordCampaign || head.Format != bundleFormat || head.Generated != "system" || !same(*c, c.content()) {
		return b.wrong("not the head of a bundle")
	}
	b.v.Campaign = *c
	var i itemRecord
	var s summaryRecord
	for {
		if kind, err = b.next(&i, &s); err != nil {
			return err
		}
		if kind == recordSummary {
			break
		}
		if kind != recordItem || len(b.v.Items) >= c.Snapshot.Count || !b.belongs(&i.Item) {
			return b.wrong("not an item of this campaign")
		}
		b.v.Items = append(b.v.Items, i.Item)
	}
	b.v.Summary = s.Summary
	return b.last()
}

// belongs reports whether an item is the next one of the campaign.
func (b *bundleReader) belongs(i *Item) bool {
	return i.Tenant == b.v.Campaign.Tenant && i.Campaign == b.v.Campaign.ID && i.Seq == int64(len(b.v.Items))+1
}

// last reads the records after the summary.
func (b *bundleReader) last() error {
	var s signOffRecord
	kind, err := b.next(&s, &b.end)
	if err == nil && kind == recordSignOff {
		b.v.SignOff = s.SignOff
		if s.SignOff.IsZero() {
			return b.wrong("a sign-off of nobody")
		}
		kind, err = b.next(&b.end, nil)
	}
	switch {
	case err != nil:
		return err
	case kind != recordEnd || b.end.Records != b.chain.n-1:
		return b.wrong("not the end of the bundle")
	}
	if _, err := b.chain.next(); !errors.Is(err, io.EOF) {
		return b.wrong("something after the end")
	}
	return nil
}

// check compares the records with each other.
func (b *bundleReader) check() error {
	v := &b.v
	frozen, count, err := FrozenDigest(sequence(v.Items))
	if err != nil {
		return err
	}
	if frozen != v.Campaign.Snapshot.Digest || count != v.Campaign.Snapshot.Count {
		return &BundleError{Line: 1, Why: "not the population that was frozen"}
	}
	if err := b.signed(); err != nil {
		return err
	}
	switch {
	case !same(v.Summary, summarize(&v.Campaign, v.Items)):
		return b.wrong("the summary counts something else")
	case b.end.CSV != sum(table(&v.Campaign, v.Items)):
		return b.wrong("the table is another one")
	}
	return nil
}

// signed checks what somebody signed, if somebody did: that it is this content, and one that a review
// can come to.
func (b *bundleReader) signed() error {
	if b.v.SignOff.IsZero() {
		return nil
	}
	c := b.v.Campaign
	c.SignOff = b.v.SignOff
	content, err := ContentDigest(c, sequence(b.v.Items))
	switch {
	case err != nil:
		return err
	case content != b.v.SignOff.Digest:
		return b.wrong("not the content that was signed")
	case whole(&c, b.v.Items) != nil:
		return b.wrong("not a review that could be signed")
	}
	return nil
}

// next decodes the next record into one of the two, by its kind, and returns the kind. A record that
// the writer would have written otherwise is wrong.
func (b *bundleReader) next(first, second any) (kind string, err error) {
	body, err := b.chain.next()
	if errors.Is(err, io.EOF) {
		return "", b.chain.wrong("it ends early")
	}
	if err != nil {
		return "", err
	}
	var k struct {
		Kind string `json:"kind"`
	}
	if json.Unmarshal(body, &k) != nil {
		return "", b.wrong("not a record")
	}
	into := first
	if fits(second, k.Kind) {
		into = second
	}
	reset(into)
	if json.Unmarshal(body, into) != nil {
		return "", b.wrong("not a record")
	}
	again, err := encodeRecord(into) // without a field that it does not know
	if err != nil || !bytes.Equal(again, body) {
		return "", b.wrong("not a record as it is written")
	}
	return k.Kind, nil
}

// fits reports whether a record is of a kind that comes second.
func fits(record any, kind string) bool {
	switch record.(type) {
	case *summaryRecord:
		return kind == recordSummary
	case *endRecord:
		return kind == recordEnd
	}
	return false
}

// reset forgets the record before.
func reset(record any) {
	switch r := record.(type) {
	case *itemRecord:
		*r = itemRecord{}
	case *signOffRecord:
		*r = signOffRecord{}
	}
}

// wrong says that the record just read is not what belongs there.
func (b *bundleReader) wrong(why string) error { return &BundleError{Line: b.chain.n, Why: why} }
