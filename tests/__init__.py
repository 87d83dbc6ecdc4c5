"""rr's tests. Folders mirror the source; `harness` is what several of them need, `apps` what they record."""
