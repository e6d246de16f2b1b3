"""What the hardware's hooks lead to: sharing, contended lines, watched lines, data races. It changes no count and no clock."""
