"""What a request counts against: no handler can forget it, for it has a limit unless it names another."""

from h5 import addresses

LOOKS = {"GET", "HEAD", "OPTIONS"}


class Counted:
    """Every request counts: `looks` names the limit (services/limits.py) of a GET, `acts` the one of all else."""

    looks = "page"
    acts = "change"

    async def check_rate(self) -> None:
        """Count this request, whatever it is; raises TooMany."""
        await self.limit(self.looks if self.request.method in LOOKS else self.acts)

    async def limit(self, name: str) -> None:
        """Count once more against a limit: per person, else per browser.

        A cookie of a browser is easily made up, and a first visit has none, so all that is nobody's of one address
        has a wider limit together: an office or a carrier shares one.
        """
        if self.person:
            await self.ctx.limits.check(name, f"p{self.person.id}")
            return
        await self.ctx.limits.check(name, f"all{addresses.household(self.ip)}", is_address=True)
        if browser := self.known_browser():
            await self.ctx.limits.check(name, f"b{browser[:16]}")
