"""What a machine is made of: sizes, latencies and policies, their files, and the record built from them."""
