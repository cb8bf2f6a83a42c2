"""A local stand-in for the payment provider, for the demo stack and the tests: real protocol, no network.

It answers the requests that the provider's official library sends for what the platform uses: customers,
payment intents, refunds, subscriptions, the balance; lists with paging; errors of the provider's form;
idempotency keys. What it knows is one SQLite file, written before it answers, so that killing it loses
nothing. It answers for the mailing provider too: the members of its lists. Test payment methods decide the outcome, by the provider's own names: ``pm_card_visa`` pays,
``pm_card_chargeDeclined`` does not, ``pm_usBankAccount`` is processing until it is asked for again.

Run it with ``python -m tasks.provider --port 12111 --data provider.sqlite3``.
"""
