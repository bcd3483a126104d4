// Package faults holds that no fault of a forge, or of the network before it, turns into a
// grant: both adapters read their doubles over real sockets, through a proxy that slows,
// cuts and resets connections and through one that spoils answers.
package faults
