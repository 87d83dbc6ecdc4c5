"""What recording costs: rr against HAProxy and mitmproxy, in turns, in one run. `python -m bench`."""
