"""Synchronise the stock with the warehouse, which is down: a function that fails."""


class WarehouseUnavailable(Exception):
    """The warehouse does not answer."""


def fetch_stock(sku):
    raise WarehouseUnavailable(f"no connection to the warehouse while reading {sku}")


def handler(event, context):
    print("sync started")
    return {sku: fetch_stock(sku) for sku in event.get("skus", ["KETTLE-1"])}
