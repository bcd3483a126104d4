package main

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
)

// small writes a picture anew with at most 64 colours, its most frequent ones: pages have
// few, and the shades between letters and ground are told from one another by nobody.
func small(picture []byte) ([]byte, error) {
	in, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("read a picture: %w", err)
	}
	bounds := in.Bounds()
	count := map[color.RGBA]int{}
	each(bounds, func(x, y int) { count[rgba(in, x, y)]++ })
	all := make([]color.RGBA, 0, len(count))
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	const most = 64
	var palette color.Palette
	for _, c := range all[:min(most, len(all))] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(bounds, palette)
	nearest := map[color.RGBA]uint8{}
	each(bounds, func(x, y int) {
		c := rgba(in, x, y)
		i, known := nearest[c]
		if !known {
			i = uint8(palette.Index(c)) //nolint:gosec // there are 64
			nearest[c] = i
		}
		out.SetColorIndex(x, y, i)
	})
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out); err != nil {
		return nil, fmt.Errorf("write a picture: %w", err)
	}
	return b.Bytes(), nil
}

func each(r image.Rectangle, do func(x, y int)) {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			do(x, y)
		}
	}
}

func rgba(in image.Image, x, y int) color.RGBA {
	r, g, b, _ := in.At(x, y).RGBA()
	return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255} //nolint:gosec // eight bits each
}
