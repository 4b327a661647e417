// Package rbac decides who may do what to which record, in one place: the same rule answers
// "may this person open this chart?" and "which charts may this person list?", so that pages,
// lists, counts, search and exports cannot disagree.
package rbac
