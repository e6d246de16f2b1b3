"""One allocation: malloc, mcache, mcentral, mheap, and the spans, bitmaps and stacks it hands out."""
