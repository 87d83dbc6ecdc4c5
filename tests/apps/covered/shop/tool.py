"""A program that the app starts."""

import sys


def main(word: str) -> None:
    print("tool", word)
    if word == "two":
        print("never")


if __name__ == "__main__":
    main(sys.argv[1])
