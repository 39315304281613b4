"""Double-entry books in SQL of everything the account log says, and the audit of the records.

`ledger.service` posts the log into the books; `ledger.statements`, `ledger.reconcile` and
`ledger.rebuild` read, compare and rebuild them. `ledger.audit` checks the records themselves.
"""
