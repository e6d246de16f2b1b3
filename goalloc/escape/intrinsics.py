"""The library functions that the compiler replaces by instructions on amd64 (cmd/compile/internal/ssagen): never inlined calls."""

_BITS = (
    "TrailingZeros64 TrailingZeros32 TrailingZeros16 TrailingZeros8 ReverseBytes64 ReverseBytes32 Len64 Len32 Len16 Len8 Len RotateLeft8 "
    "RotateLeft16 RotateLeft32 RotateLeft64 RotateLeft OnesCount64 OnesCount32 OnesCount16 OnesCount Mul64 Mul Add64 Add Sub64 Sub Div64 Div"
)
_MATH = "sqrt FMA RoundToEven Floor Ceil Trunc"
_SIZES = ("Int32", "Int64", "Uint32", "Uint64", "Uintptr")
_ATOMIC = [op + size for op in ("Load", "Store", "Swap", "CompareAndSwap", "Add") for size in _SIZES] + ["LoadPointer"]
_RUNTIME = (
    "Load Load8 Load64 Loadp LoadAcq LoadAcq64 LoadAcquintptr Loaduint Loaduintptr Loadint32 Loadint64 Store Store8 Store64 StorepNoWB "
    "StoreRel StoreRel64 StoreReluintptr Storeuintptr Storeint32 Storeint64 Xchg Xchg64 Xchgint32 Xchgint64 Xchguintptr Xadd Xadd64 "
    "Xaddint32 Xaddint64 Xadduintptr Cas Cas64 Casint32 Casint64 Casuintptr Casp1 CasRel And8 And Or8 Or"
)
_SYS = "Bswap64 Bswap32 TrailingZeros64 TrailingZeros32 TrailingZeros8 Len64 Len8 OnesCount64 Prefetch PrefetchStreamed"
INTRINSICS = frozenset(
    [f"bits.{n}" for n in _BITS.split()]
    + [f"math.{n}" for n in _MATH.split()]
    + [f"atomic.{n}" for n in (*_ATOMIC, *_RUNTIME.split())]
    + [f"sys.{n}" for n in _SYS.split()]
    + ["runtime.KeepAlive", "runtime.slicebytetostringtmp", "runtime.getcallerpc", "runtime.getcallersp", "math.MulUintptr", "math.Mul64"]
)
