"""What each constraint, index and trigger is for: the rule that it holds, or the query that it serves.

A test holds this page against PostgreSQL: whatever is there has its line here, and each line names what is there. What
has no name of its own is called by its kind and columns.
"""

# What is there for the same reason wherever it is; one that also serves something else has its own line below.
GENERAL = {
    "primary key": "One row for each key, and what every fetch by key and every reference goes by.",
    "foreign key": "The row that is pointed to is there. Looked at when the transaction ends.",
    "not negative": "Django's, with each `Positive…Field`.",
    "index for LIKE": "Django's, with each unique or indexed text, for how it begins. Two are asked so: see below.",
}

PURPOSES: dict[str, dict[str, str]] = {
    "kit.IdempotencyKey": {
        "kit_idempotency_key_once": "One answer for a key of a user on one operation.",
        "kit_idempotency_key_answered_or_leased": "A key without an answer is somebody's work: it says until when.",
        "kit_idempotency_key_oldest": "Deleting those that are older than 24 hours.",
    },
    "media.File": {
        "unique (key)": "Two files never share an object; whether an object has a row, asked by the sweep.",
        "unique (small_key)": "The same for the small thumbnail.",
        "unique (medium_key)": "The same for the medium thumbnail.",
        "media_file_known_kind": "Images and documents, nothing else.",
        "media_file_image_has_size": "An image says how large it is, and a document has no such thing.",
        "media_file_both_thumbnails": "Both thumbnails or none, and only of an image.",
        "index (owner_id)": "The files of a user, in the admin.",
    },
    "media.Upload": {
        "unique (key)": "Two uploads never write to the same place.",
        "unique (file_id)": "A file comes of one upload at the most; deleting a file finds it.",
        "media_upload_known_kind": "Images and documents, nothing else.",
        "media_upload_open": "The sweep: uploads that nobody completed within a day.",
        "index (owner_id)": "How many uploads of a user are open: there is a limit; deleting them on erasure.",
    },
    "accounts.User": {
        "unique (email)": "One account for an address, as it was typed: Django wants that of what one signs in with.",
        "unique (email_key)": "One account for an address, whatever its case and letters' forms; signing in.",
        "index for LIKE (email_key)": "Support has the beginning of an address.",
        "accounts_user_known_role": "Customers and providers; staff is a mark, no role.",
    },
    "accounts.User_groups": {
        "unique (user_id, group_id)": "In a group once. Groups of a user.",
        "index (user_id)": "Django's; the unique one begins with the same column.",
        "index (group_id)": "Deleting a group takes its members out.",
    },
    "accounts.User_user_permissions": {
        "unique (user_id, permission_id)": "A right is given once. Rights of a user.",
        "index (user_id)": "Django's; the unique one begins with the same column.",
        "index (permission_id)": "Deleting a permission takes it from those who have it.",
    },
    "accounts.Profile": {
        "index (avatar_id)": "A file that is somebody's picture can't be deleted: looked up with each deleted file.",
    },
    "accounts.Session": {
        "accounts_session_end_has_reason": "What ended has a known reason, and what has one has ended.",
        "index (user_id)": "The open sessions of a user, listed; all of them ended with a new password.",
        "index (expires_at)": "Deleting those that are over, once a day.",
    },
    "accounts.OneTimeToken": {
        "accounts_token_known_purpose": "For a new password or a verified address, nothing else.",
        "index (user_id)": "Voiding a user's other links when one was used; deleting them when the user is erased.",
        "index (expires_at)": "Deleting those that are over, once a day.",
    },
    "scheduling.Schedule": {
        "marketplace_scheduling_duration": "A slot takes from 5 minutes to a day.",
        "marketplace_scheduling_buffer_before": "Up to a day; never less than nothing.",
        "marketplace_scheduling_buffer_after": "Up to a day; never less than nothing.",
        "marketplace_scheduling_slot_interval": "Slots begin 5 minutes to a day apart: a month never has endless ones.",
        "marketplace_scheduling_minimum_notice": "Up to 30 days.",
        "marketplace_scheduling_booking_window": "From one day to a year ahead: so far slots are looked for.",
    },
    "scheduling.ScheduleException": {
        "marketplace_scheduling_one_exception_a_date": "One set of hours for a date; exceptions within a span.",
    },
    "scheduling.Reservation": {
        "marketplace_scheduling_no_overlap": "A provider is never booked twice at once; what is taken within a span.",
        "marketplace_scheduling_proper_ranges": "Ranges have two ends, and the slot lies within its buffers.",
        "marketplace_scheduling_only_the_unconfirmed_lapse": "A confirmed reservation never gives way.",
    },
    "catalog.Category": {
        "unique (slug)": "One category for a slug: in URLs, in the filter of lists.",
        "catalog_category_plain_slug": "A slug that needs no escaping in a URL.",
        "catalog_category_not_its_own_parent": "No circle of one; longer ones are refused by the admin's form.",
        "index (parent_id)": "A category with others below it can't be deleted: looked up when one is.",
    },
    "catalog.Service": {
        "unique (schedule_id)": "A schedule is one service's.",
        "catalog_service_price_in_range": "No negative price, and none beyond what an amount can be.",
        "catalog_service_policy_known": "One of the policies by which refunds are counted.",
        "catalog_service_rating_in_range": "So many reviews of 1 to 5: the sum lies between.",
        "catalog_service_newest": "The list, newest first. Behind the order stands what lists are filtered by.",
        "catalog_service_cheapest": "The list by price, up or down, in all currencies.",
        "catalog_service_in_currency": "The list by price in one currency, and within bounds.",
        "catalog_service_best_rated": "The list, best rated first.",
        "catalog_service_in_category": "The list of one category, newest first.",
        "catalog_service_of_provider": "A provider's own services, hidden ones too; those of a provider in the list.",
        "catalog_service_search_since": "The search: services with these words, of a day or newer.",
        "index (category_id)": "Copying a category's words to its services; one that has any can't be deleted.",
    },
    "catalog.ServiceFile": {
        "unique (file_id)": "A file belongs to one service.",
        "catalog_file_of_service": "Images and documents of a service, in their order.",
    },
    "catalog.Word": {
        "index for LIKE (word)": "Words that go on where a mistyped one ends.",
        "catalog_word_alike": "Words that look like a mistyped one.",
    },
    "booking.Booking": {
        "unique (reservation_id)": "Reserved time is one booking's.",
        "booking_status_known": "One of the four statuses.",
        "booking_lasts": "It ends after it begins.",
        "booking_has_two_sides": "Nobody can book themselves.",
        "booking_amount_in_range": "No negative amount, and none beyond what an amount can be.",
        "booking_holds_its_time_until_cancelled": "Open ones hold time; a cancelled one does not, and says by whom.",
        "booking_of_customer": "A customer's bookings, newest first.",
        "booking_of_provider": "A provider's bookings, newest first.",
        "booking_agenda_of_customer": "A customer's bookings by their time, and within a span.",
        "booking_agenda_of_provider": "A provider's bookings by their time, and within a span.",
        "booking_newest": "The list that staff sees; what was booked, day by day.",
        "booking_pending": "Pending ones whose time has come: cancelled by the worker.",
        "booking_unreminded": "Confirmed ones of the next 24 hours whose customer was not reminded yet.",
        "index (service_id)": "The list's filter by service, for staff.",
    },
    "booking.HistoryEntry": {
        "booking_history_action_known": "One of the things that can happen.",
        "booking_history_status_known": "It led to one of the four statuses.",
        "booking_history_oldest_first": "The history of a booking, in order.",
        "index (actor_id)": "What a user did, in the copy of their data.",
        "append_only": "History is never changed or deleted, by nobody.",
    },
    "billing.Payment": {
        "billing_one_active_payment": "A booking is not paid twice; the active payment of a booking.",
        "billing_payment_status_known": "One of the five statuses.",
        "billing_payment_amount_in_range": "Something is paid, and not beyond what an amount can be.",
        "billing_fee_within_amount": "The fee is a part of the amount.",
        "billing_refunds_within_payment": "Never more given back than was paid, refunds on their way included.",
        "billing_payment_of_customer": "What a customer paid, newest first.",
        "billing_payment_of_provider": "What a provider was paid, newest first.",
        "billing_payment_unsettled": "Payments of which the outcome is not known: the worker asks again.",
        "billing_payment_at_gateway": "Support has the gateway's reference and looks for the booking.",
        "index (booking_id)": "All payments of a booking, failed ones too, on support's page.",
    },
    "billing.Refund": {
        "billing_refund_status_known": "One of the three statuses.",
        "billing_refund_is_positive": "Something is given back.",
        "billing_refund_of_payment": "The refunds of a payment, in order.",
        "billing_refund_unsettled": "Refunds of which the outcome is not known: the worker asks again.",
        "billing_refund_at_gateway": "Support has the gateway's reference and looks for the booking.",
    },
    "billing.GatewayEvent": {
        "billing_event_counts_once": "What the gateway tells twice counts once.",
        "billing_event_about": "What the gateway told of a payment or refund, on support's page.",
    },
    "billing.Payout": {
        "billing_payout_status_known": "Paid: there is no other status.",
        "billing_payout_is_positive": "Something is paid out.",
        "billing_payout_of_provider": "A provider's payouts, newest first.",
        "append_only": "A payout is never changed or deleted.",
    },
    "billing.Posting": {
        "billing_payment_is_posted_once": "A payment's money comes in once.",
        "unique (refund_id)": "A refund is posted once.",
        "unique (payout_id)": "A payout is posted once.",
        "billing_posting_says_of_what": "Each kind points to what it is about, and to nothing else.",
        "billing_posting_by_time": "Money by day, in the admin.",
        "index (payment_id)": "The postings of a payment: what its provider still waits for; support's page.",
        "append_only": "A posting is never changed or deleted: what was wrong is posted back.",
    },
    "billing.Entry": {
        "billing_entry_account_known": "One of the five accounts.",
        "billing_entry_says_something": "No line of nothing.",
        "billing_entry_has_its_owner": "Accounts of providers say whose they are, those of the platform are nobody's.",
        "billing_entry_balance": "A provider's balance in a currency, summed without reading a row of the table.",
        "index (posting_id)": "The entries of a posting: to sum them when they are written, and to show them.",
        "append_only": "An entry is never changed or deleted.",
        "billing_posting_is_balanced": "A posting's entries sum to zero in each currency, at the transaction's end.",
    },
    "billing_mock.MockRefund": {
        "index (charge)": "What was given back of a charge: the mock refuses more than it took.",
    },
    "reviews.Review": {
        "unique (booking_id)": "One review for a booking; the review of a booking.",
        "reviews_rating_in_range": "From 1 to 5.",
        "reviews_hidden_for_a_reason": "What is hidden says why, and what says why is hidden.",
        "reviews_of_service": "The shown reviews of a service, newest first; how often each rating was given.",
        "index (author_id)": "What a user wrote: in the copy of their data, and when they are erased.",
    },
    "notifications.Notification": {
        "notifications_one_per_position": "A place in a user's stream is taken once; what is behind a place, in order.",
        "notifications_position_in_app": "Only what is told in the app has a place, and the first is 1.",
        "notifications_inbox": "A user's inbox, newest first.",
        "notifications_unread": "How many are unread; marking them all; the inbox of unread ones.",
        "notifications_unnumbered": "What waits for its place in the stream, oldest first.",
    },
    "notifications.StreamTicket": {
        "index (user_id)": "Deleting a user's old tickets when they ask for another; all of them when they are erased.",
    },
    "notifications.Preference": {
        "notifications_one_preference": "One preference of a user for a type; all of a user's preferences.",
    },
    "notifications.WebhookEndpoint": {
        "notifications_webhook_disabled": "What was switched off by itself says why, and is off.",
        "index (user_id)": "A user's endpoints: listed, counted, told.",
    },
    "notifications.WebhookSecret": {
        "notifications_one_current_secret": "One secret is the current one.",
        "index (endpoint_id)": "All secrets that sign now, the one that is being replaced too.",
    },
    "notifications.WebhookDelivery": {
        "notifications_webhook_once": "A notification goes to an endpoint once, under one id.",
        "notifications_webhook_waits_while_pending": "What is pending has a next time; what is done has none.",
        "notifications_webhook_log": "The log of an endpoint, newest first.",
        "notifications_webhook_waiting": "What is next for an endpoint; what nobody came for.",
        "notifications_webhook_leased": "Attempts whose worker never said what became of them.",
        "notifications_webhook_oldest": "Deleting what is out of the log's time.",
        "index (notification_id)": "Deleting a user's notifications takes their deliveries along.",
    },
}

BESIDES = {
    "btree_gin": "`catalog_service_search_since`: a day beside words in one GIN index.",
    "btree_gist": "`marketplace_scheduling_no_overlap`: a key beside a range in one GiST index.",
    "pg_trgm": "`catalog_word_alike`: which words look alike.",
    "unaccent": "`marketplace_catalog_plain`.",
    "marketplace_catalog_plain": "A text without accents, words apart; immutable, for the generated column `search`.",
    "marketplace_billing_append_only": "Behind the triggers `append_only` of billing: refuses.",
    "marketplace_billing_balanced": "Behind `billing_posting_is_balanced`: sums the posting.",
    "marketplace_booking_append_only": "Behind the trigger `append_only` of booking: refuses.",
}
