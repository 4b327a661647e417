// Package session keeps people signed in and ends that when it should, everywhere, at once.
package session
