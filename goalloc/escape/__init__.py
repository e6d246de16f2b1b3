"""Which variables leave the stack: Go 1.21's inlining and escape analysis, its messages to the letter (`goalloc escape`).

    source ── syntax ── check ── build ── deadcode ── inline ── devirt ── flow ── graph ── messages
              trees     types    nodes                bodies             edges    solved

The files keep the order of the compiler's passes (cmd/compile/internal: syntax, types2, noder, deadcode, inline, devirtualize,
escape). A function outside the subset is never guessed at: it is named with the reason, and so is who uses it.
"""
