"""Refund an order. What it does can't be undone."""


def handler(event, context):
    print(f"refunding {event['amount']} for order {event['orderId']}")
    return {"refundId": f"R-{context.aws_request_id[:8]}", "orderId": event["orderId"], "refunded": event["amount"]}
