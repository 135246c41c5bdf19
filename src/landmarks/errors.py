"""The error for what the user can fix."""

from __future__ import annotations


class UserError(Exception):
    """Something in the user's input, files or settings is wrong; the command line prints it and exits with code 2.

    what   the fault, with the offending value
    where  the file, row or key it was found in
    next   the command to type, or the thing to change
    """

    def __init__(self, what: str, *, where: object = None, next: str | None = None):
        self.what, self.where, self.next = what, where, next
        lines = [what]
        if where is not None:
            lines.append(f"  where: {where}")
        if next is not None:
            lines.append(f"  next:  {next}")
        super().__init__("\n".join(lines))
