// The same for C++: namespaces, classes within classes, base classes, templates, statics, atomics.
#include <atomic>
#include <cstdio>
#include <mutex>
#include <vector>

namespace stats {
struct Base { long first; };
template <class T> struct Cell { T value; char pad[8]; };
class Block : public Base {
public:
    struct Inner { int left, right; };
    static long shared;
    std::atomic<long> hits[4];
    Inner inner[2];
    Cell<double> cell;
    long add(long n) { return first += n; }
};
long Block::shared = 7;
namespace {
Block hidden;
}
Block block;
inline namespace v2 { Cell<int> cells[3]; }
}
stats::Block::Inner outside;

__attribute__((noinline)) static long work(stats::Block &b, long n) {
    static std::atomic<int> calls[2];
    calls[n & 1]++;
    return b.add(n) + b.hits[n & 3]++;
}

#define SAY(base, e, as) std::printf("%s %s %td %zu\n", #base, as, (char *)&(e) - (char *)&(base), sizeof(e));
int main(int argc, char **) {
    using namespace stats;
    SAY(block, block.first, "stats::block.first")
    SAY(block, block.hits[3], "stats::block.hits[3]._M_i")
    SAY(block, block.inner[1].right, "stats::block.inner[1].right")
    SAY(block, block.cell.value, "stats::block.cell.value")
    SAY(hidden, hidden.inner[0].left, "stats::(anonymous namespace)::hidden.inner[0].left")
    SAY(Block::shared, Block::shared, "stats::Block::shared")
    SAY(cells, cells[2].value, "stats::v2::cells[2].value")
    SAY(outside, outside.right, "outside.right")
    auto *made = new Block::Inner[5];
    return (int)work(argc > 1 ? block : hidden, argc) == 0 && made;
}
