"""What the compiler and the language see: slices, interfaces, maps, types, defers, the module. Go: slice.go, runtime2.go, map.go,
panic.go, symtab.go, internal/abi type.go."""
from goalloc.layout.rules import named, struct
from goalloc.layout import scheduler                    # noqa: F401  (declares what is used here)

named("uint8", "TFlag")
named("int32", "NameOff TypeOff")

slice_ = struct("slice", "array unsafe.Pointer; len, cap int")
eface = struct("eface", "_type *_type; data unsafe.Pointer")
iface = struct("iface", "tab *itab; data unsafe.Pointer")
itab = struct("itab", "inter *interfacetype; _type *_type; hash uint32; _ [4]byte; fun [1]uintptr")
type_ = struct("_type", """
    Size_, PtrBytes uintptr; Hash uint32; TFlag; Align_, FieldAlign_, Kind_ uint8; Equal func; GCData *byte
    Str NameOff; PtrToThis TypeOff""")

hmap = struct("hmap", """
    count int; flags, B uint8; noverflow uint16; hash0 uint32; buckets, oldbuckets unsafe.Pointer; nevacuate uintptr
    extra *mapextra""")
mapextra = struct("mapextra", "overflow, oldoverflow *[]*bmap; nextOverflow *bmap")
bmap = struct("bmap", "tophash [bucketCnt]uint8")
hiter = struct("hiter", """
    key, elem unsafe.Pointer; t *maptype; h *hmap; buckets unsafe.Pointer; bptr *bmap; overflow, oldoverflow *[]*bmap
    startBucket uintptr; offset uint8; wrapped bool; B, i uint8; bucket, checkBucket uintptr""")

_defer = struct("_defer", """
    started, heap, openDefer bool; sp, pc uintptr; fn func(); _panic *_panic; link *_defer; fd unsafe.Pointer
    varp, framepc uintptr""")
_panic = struct("_panic", """
    argp unsafe.Pointer; arg interface{}; link *_panic; pc uintptr; sp unsafe.Pointer; recovered, aborted, goexit bool""")
struct("bitvector", "n int32; bytedata *uint8")
moduledata = struct("moduledata", """
    NotInHeap; pcHeader *pcHeader; funcnametab []byte; cutab []uint32; filetab, pctab, pclntable []byte; ftab []functab
    findfunctab, minpc, maxpc, text, etext, noptrdata, enoptrdata, data, edata, bss, ebss, noptrbss, enoptrbss uintptr
    covctrs, ecovctrs, end, gcdata, gcbss, types, etypes, rodata, gofunc uintptr; textsectmap []textsect
    typelinks []int32; itablinks []*itab; ptab []ptabEntry; pluginpath string; pkghashes []modulehash
    inittasks []*initTask; modulename string; modulehashes []modulehash; hasmain uint8; gcdatamask, gcbssmask bitvector
    typemap map[TypeOff]*_type; bad bool; next *moduledata""")
