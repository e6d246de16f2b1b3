// What the compiler calls for conversions, called by name: steps whose third number is 6 to 9, the first is 0.
//
//	n 6   []byte(s), n bytes     n 7   string(b)     n 8   any(int32(n))     n 9   any(s), n bytes
package main

import "unsafe"

//go:linkname stringtoslicebyte runtime.stringtoslicebyte
func stringtoslicebyte(buf *[32]byte, s string) []byte

//go:linkname slicebytetostring runtime.slicebytetostring
func slicebytetostring(buf *[32]byte, p *byte, n int) string

//go:linkname convT32 runtime.convT32
func convT32(v uint32) unsafe.Pointer

//go:linkname convTstring runtime.convTstring
func convTstring(s string) unsafe.Pointer

var text [40000]byte

func languageStep(kind, n uint64) uint64 {
	s := unsafe.String(&text[0], int(n))
	switch kind {
	case 6:
		return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(stringtoslicebyte(nil, s)))))
	case 7:
		return uint64(uintptr(unsafe.Pointer(unsafe.StringData(slicebytetostring(nil, &text[0], int(n))))))
	case 8:
		return uint64(uintptr(convT32(uint32(n))))
	}
	return uint64(uintptr(convTstring(s)))
}
