// Package interop tests wardkit against independent implementations whose weight must not
// enter its go.mod. It is a module of its own and holds nothing but tests.
package interop
