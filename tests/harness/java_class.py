"""A Java class without a Java compiler: the class file of a program that tells the time, for whoever has only a JRE.

class Now {
    public static void main(String[] arguments) {
        while (System.in.read() >= 0) {                          // a byte of input: a round
            long now = System.currentTimeMillis();
            System.out.println(now);                             // the time, in milliseconds
            LockSupport.parkUntil(now + 50);                     // waits for a moment of the wall clock
            System.out.println(System.currentTimeMillis() - now);
        }
    }
}
"""

from __future__ import annotations

import struct

_PUBLIC, _STATIC, _SUPER = 1, 8, 32


class _Pool:
    """The constants of a class file."""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self._known: dict[bytes, int] = {}

    def add(self, item: bytes) -> int:
        if item not in self._known:
            self.items.append(item)
            self._known[item] = len(self.items)
            if item[0] == 5:  # a long takes two places
                self.items.append(b"")
        return self._known[item]

    def text(self, value: str) -> int:
        return self.add(struct.pack(">BH", 1, len(value)) + value.encode())

    def of_class(self, name: str) -> int:
        return self.add(struct.pack(">BH", 7, self.text(name)))

    def long(self, value: int) -> int:
        return self.add(struct.pack(">Bq", 5, value))

    def field(self, owner: str, name: str, sort: str) -> int:
        return self._member(9, owner, name, sort)

    def method(self, owner: str, name: str, sort: str) -> int:
        return self._member(10, owner, name, sort)

    def _member(self, kind: int, owner: str, name: str, sort: str) -> int:
        described = self.add(struct.pack(">BHH", 12, self.text(name), self.text(sort)))
        return self.add(struct.pack(">BHH", kind, self.of_class(owner), described))


def now_class() -> bytes:
    """The content of `Now.class`."""
    pool = _Pool()
    system, stream = "java/lang/System", "java/io/PrintStream"
    get_in = struct.pack(">BH", 0xB2, pool.field(system, "in", "Ljava/io/InputStream;"))
    get_out = struct.pack(">BH", 0xB2, pool.field(system, "out", f"L{stream};"))
    read = struct.pack(">BH", 0xB6, pool.method("java/io/InputStream", "read", "()I"))
    now = struct.pack(">BH", 0xB8, pool.method(system, "currentTimeMillis", "()J"))
    print_long = struct.pack(">BH", 0xB6, pool.method(stream, "println", "(J)V"))
    park = struct.pack(">BH", 0xB8, pool.method("java/util/concurrent/locks/LockSupport", "parkUntil", "(J)V"))
    fifty = struct.pack(">BH", 0x14, pool.long(50))
    store, load, add, subtract = b"\x40", b"\x1f", b"\x61", b"\x65"  # lstore_1, lload_1, ladd, lsub
    round_ = (
        now + store + get_out + load + print_long
        + load + fifty + add + park
        + get_out + now + load + subtract + print_long
    )  # fmt: skip
    head = get_in + read
    jump_out = struct.pack(">Bh", 0x9B, 3 + len(round_) + 3)  # iflt, to the return
    jump_back = struct.pack(">Bh", 0xA7, -(len(head) + 3 + len(round_)))
    code = head + jump_out + round_ + jump_back + b"\xb1"
    body = struct.pack(">HHI", 6, 3, len(code)) + code + struct.pack(">HH", 0, 0)
    main = struct.pack(
        ">HHHHHI", _PUBLIC | _STATIC, pool.text("main"), pool.text("([Ljava/lang/String;)V"), 1, pool.text("Code"),
        len(body),
    ) + body  # fmt: skip
    this, above = pool.of_class("Now"), pool.of_class("java/lang/Object")
    constants = struct.pack(">H", len(pool.items) + 1) + b"".join(pool.items)
    # version 49, of Java 5: the last one that asks for no maps of the stack
    return (
        struct.pack(">IHH", 0xCAFEBABE, 0, 49) + constants
        + struct.pack(">HHHHH", _PUBLIC | _SUPER, this, above, 0, 0)
        + struct.pack(">H", 1) + main + struct.pack(">H", 0)
    )  # fmt: skip
