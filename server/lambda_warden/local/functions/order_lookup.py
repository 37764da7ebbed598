"""Look an order up. Reads only."""

ORDERS = {
    "A-1001": {"customer": "Ada", "status": "shipped", "total": 59.9, "items": ["kettle", "tea"]},
    "A-1002": {"customer": "Grace", "status": "packed", "total": 240.0, "items": ["desk lamp"]},
}


class OrderNotFound(Exception):
    """There is no order with this id."""


def handler(event, context):
    order_id = event["orderId"]
    print(f"looking up order {order_id} with version {context.function_version}")
    if order_id not in ORDERS:
        raise OrderNotFound(f"no order {order_id}")
    return {"orderId": order_id, **ORDERS[order_id]}
