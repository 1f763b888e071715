//go:build !race

package model

const detector = false
