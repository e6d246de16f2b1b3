/* Another unit, with a static variable that another file has as well. */
struct { int from, to; } elsewhere = {1, 2};
static long plain = 3;
long plain_of_elsewhere(void) { return ++plain; }
