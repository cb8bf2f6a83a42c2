"""The marketplace: providers, services, requests, proposals, contracts, reviews, money in escrow."""

from __future__ import annotations

from datetime import timedelta

from tasks.base.money import ledger
from tasks.demo import words
from tasks.demo.world import World
from tasks.models import (
    Contract,
    Escrow,
    Proposal,
    Provider,
    Review,
    Service,
    ServiceRequest,
    ServiceView,
)

PROVIDERS = 30  # at scale 1
REQUESTS = 120
VIEWS = 900
FEE = 0.1  # the platform's part
HOLD = timedelta(days=7)  # after the planned end


def make_services(world: World) -> int:
    """Providers among the users, with services that people look at."""
    dice = world.dice("services")
    users = dice.sample(world.users, min(len(world.users), world.many(PROVIDERS)))
    providers = world.save([Provider(user=user, name=user.name) for user in users])
    services = world.save(
        [
            Service(
                provider=provider,
                category=world.categories[category],
                title=dice.choice(words.SERVICES[category]),
                price_cents=dice.randint(20, 900) * 500,
            )
            for provider in providers
            for category in dice.sample(list(words.SERVICES), dice.choice((1, 1, 2)))
        ]
    )
    views = [
        ServiceView(
            service=dice.choice(services), visitor=f"v{dice.randint(1, 5000)}", at=world.recently(dice, 15)
        )
        for _ in range(world.many(VIEWS))
    ]
    world.save(views)
    world.services = services
    return len(providers) + len(services) + len(views)


def make_contracts(world: World) -> int:
    """From requests to contracts in every state; some escrows are ready to be released."""
    dice = world.dice("contracts")
    requests, proposals = [], []
    for _ in range(world.many(REQUESTS)):
        service, created = dice.choice(world.services), world.ago(dice, 1, 120)
        state = dice.choice(("open", "ordered", "ordered"))
        requests.append(
            ServiceRequest(
                client=dice.choice(world.users),
                category=service.category,
                title=f"Wanted: {service.title.lower()}",
                state=state,
                created_at=created,
                active_at=created + (world.now - created) * dice.uniform(0, 0.6),
            )
        )
        proposals.append(
            Proposal(
                service=service,
                amount_cents=int(service.price_cents * dice.uniform(0.8, 1.3)),
                state="accepted" if state == "ordered" else "pending",
                created_at=created + timedelta(hours=8),
                decided_at=created + timedelta(hours=30) if state == "ordered" else None,
            )
        )
    for request, proposal in zip(world.save(requests), proposals, strict=True):
        proposal.request = request
    accepted = [p for p in world.save(proposals) if p.state == "accepted"]
    contracts = []
    for proposal in accepted:
        created = proposal.decided_at or proposal.created_at
        starts, length = created + timedelta(days=dice.randint(1, 10)), timedelta(days=dice.randint(5, 60))
        state = dice.choice(("unsigned", "signed", "signed", "active", "active", "completed"))
        ends = starts + length
        done = state == "completed" or (state == "active" and ends < world.now and dice.random() < 0.5)
        delivered = min(world.now, ends) if done else None
        contracts.append(
            Contract(
                proposal=proposal,
                service=proposal.service,
                client=proposal.request.client,
                state=state,
                created_at=created,
                signed_at=None if state == "unsigned" else created + timedelta(hours=5),
                starts_on=starts.date(),
                ends_on=ends.date(),
                delivered_at=delivered,
                completed_at=delivered if state == "completed" else None,
            )
        )
    _finish(min(contracts, key=lambda contract: contract.created_at), world)
    world.save(contracts)
    finished = [c for c in contracts if c.state == "completed"]
    reviews = [
        Review(
            contract=contract,
            provider=contract.service.provider,
            rating=dice.choice((2, 3, 4, 4, 5, 5)),
            text=dice.choice(words.OPINIONS),
            at=min(world.now, contract.completed_at + timedelta(days=1))
            if contract.completed_at
            else world.now,
        )
        for number, contract in enumerate(finished)
        if dice.random() < 0.8 or number == 0
    ]
    world.save(reviews)
    escrows = world.save([_escrow(c) for c in contracts if c.state != "unsigned"])
    ledger.book(
        ledger.Movement(
            key=f"escrow {escrow.pk} held",
            at=escrow.held_at,
            text=f"held for contract {escrow.contract_id}",
            currency=escrow.currency,
            cents={
                f"client {escrow.contract.client_id}": -escrow.amount_cents,
                f"escrow {escrow.pk}": escrow.amount_cents,
            },
        )
        for escrow in escrows
    )
    return len(requests) + len(proposals) + len(contracts) + len(reviews) + len(escrows)


def _finish(contract: Contract, world: World) -> None:
    """However small the data set is, one contract is done and its money is to be released."""
    done = world.now - HOLD - timedelta(days=2)
    contract.state, contract.delivered_at, contract.completed_at = "completed", done, done
    contract.signed_at = contract.signed_at or contract.created_at
    contract.ends_on = done.date()
    contract.starts_on = min(contract.starts_on, contract.ends_on)


def _escrow(contract: Contract) -> Escrow:
    amount = contract.proposal.amount_cents
    held = contract.signed_at or contract.created_at
    until = (contract.completed_at or held) + HOLD
    return Escrow(
        contract=contract, amount_cents=amount, fee_cents=round(amount * FEE), held_at=held, hold_until=until
    )
