/* Ringmaker's shared memory, layout version 1. Generated: python -m shm.header > ringmaker.h
 *
 * Every segment is a file /dev/shm/ringmaker.<uid>.<session>.<segment>: a struct rm_header, then slots. Map it
 * read-only, rm_check() it, then rm_ring_read() or rm_table_read(). docs/shm-layout.md tells the rest.
 * C11, Linux, 64 bits, little-endian.
 */
#ifndef RINGMAKER_H
#define RINGMAKER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RM_MAGIC INT64_C(0x01524b4d474e4952)
#define RM_LAYOUT_VERSION 1
#define RM_HEADER_BYTES 256
#define RM_KIND_RING 1
#define RM_KIND_TABLE 2
#define RM_TEXT_BYTES 40
#define RM_BOOK_LEVELS 10
#define RM_QUOTE_LEVELS_MAX 10
#define RM_HISTOGRAM_BUCKETS 640
#define RM_COUNTERS_MAX 56

struct rm_header {
    int64_t magic;
    int64_t layout_version;
    int64_t layout_hash;
    int64_t kind;
    int64_t slot_bytes;
    int64_t capacity;
    int64_t _reserved0[2];
    int64_t head;
    int64_t _reserved1[7];
    int64_t epoch;
    int64_t created_ns;
    int64_t closed;
    int64_t _reserved2[5];
    char record_name[32];
    char writer[32];
};
_Static_assert(offsetof(struct rm_header, magic) == 0, "rm_header.magic");
_Static_assert(offsetof(struct rm_header, layout_version) == 8, "rm_header.layout_version");
_Static_assert(offsetof(struct rm_header, layout_hash) == 16, "rm_header.layout_hash");
_Static_assert(offsetof(struct rm_header, kind) == 24, "rm_header.kind");
_Static_assert(offsetof(struct rm_header, slot_bytes) == 32, "rm_header.slot_bytes");
_Static_assert(offsetof(struct rm_header, capacity) == 40, "rm_header.capacity");
_Static_assert(offsetof(struct rm_header, head) == 64, "rm_header.head");
_Static_assert(offsetof(struct rm_header, epoch) == 128, "rm_header.epoch");
_Static_assert(offsetof(struct rm_header, created_ns) == 136, "rm_header.created_ns");
_Static_assert(offsetof(struct rm_header, closed) == 144, "rm_header.closed");
_Static_assert(offsetof(struct rm_header, record_name) == 192, "rm_header.record_name");
_Static_assert(offsetof(struct rm_header, writer) == 224, "rm_header.writer");
_Static_assert(sizeof(struct rm_header) == 256, "rm_header");

/* What market_data learned of an instrument; row number = `instrument` in every other record. */
#define RM_INSTRUMENT_TYPE_ID 1
#define RM_INSTRUMENT_LAYOUT_HASH INT64_C(0x51ec75db06b60792)
struct rm_instrument {
    int64_t sequence;           /* owned by the ring or table; see the layout page */
    char name[40];              /* venue's name */
    char underlying[40];        /* venue's index name */
    double tick_size;           /* price step, quote currency */
    double lot_size;            /* size step, base units */
    double contract_multiplier; /* base units for one unit of size */
    int64_t order_lots_min;     /* smallest order, lots */
    int64_t kind;               /* 1 perpetual, 2 future, 3 option, 4 roll, 5 spot */
    int64_t expiry_ns;          /* Unix ns; 0 = none */
    int64_t is_ready;           /* 1 while the venue lists it with the tick and lot size that the session began with */
    int64_t off_reason;         /* why it is not ready: 0, else an OffReason (11 changed, 12 removed) */
    char _reserved[40];
};
_Static_assert(offsetof(struct rm_instrument, sequence) == 0, "rm_instrument.sequence");
_Static_assert(offsetof(struct rm_instrument, name) == 8, "rm_instrument.name");
_Static_assert(offsetof(struct rm_instrument, underlying) == 48, "rm_instrument.underlying");
_Static_assert(offsetof(struct rm_instrument, tick_size) == 88, "rm_instrument.tick_size");
_Static_assert(offsetof(struct rm_instrument, lot_size) == 96, "rm_instrument.lot_size");
_Static_assert(offsetof(struct rm_instrument, contract_multiplier) == 104, "rm_instrument.contract_multiplier");
_Static_assert(offsetof(struct rm_instrument, order_lots_min) == 112, "rm_instrument.order_lots_min");
_Static_assert(offsetof(struct rm_instrument, kind) == 120, "rm_instrument.kind");
_Static_assert(offsetof(struct rm_instrument, expiry_ns) == 128, "rm_instrument.expiry_ns");
_Static_assert(offsetof(struct rm_instrument, is_ready) == 136, "rm_instrument.is_ready");
_Static_assert(offsetof(struct rm_instrument, off_reason) == 144, "rm_instrument.off_reason");
_Static_assert(sizeof(struct rm_instrument) == 192, "rm_instrument");

/* The best levels of one order book, ours included, best first; unused levels are 0. */
#define RM_BOOK_TYPE_ID 2
#define RM_BOOK_LAYOUT_HASH INT64_C(0x7fe046269c40bb8d)
struct rm_book {
    int64_t sequence;            /* owned by the ring or table; see the layout page */
    int64_t instrument;          /* row of the instruments table */
    int64_t exchange_time_ns;    /* venue's stamp, Unix ns; 0 when it sent none */
    int64_t receive_time_ns;     /* monotonic, when the frame's callback began in market_data */
    int64_t receive_realtime_ns; /* wall clock, Unix ns, at the same moment */
    int64_t bid_count;           /* filled levels of the bid side */
    int64_t ask_count;           /* filled levels of the ask side */
    int64_t is_valid;            /* 1 = usable; 0 = crossed, resyncing or disconnected: do not quote on it */
    int64_t update_count;        /* updates applied since the last snapshot */
    double bid_price[10];        /* quote currency */
    double bid_size[10];         /* base units */
    double ask_price[10];        /* quote currency */
    double ask_size[10];         /* base units */
    char _reserved[56];
};
_Static_assert(offsetof(struct rm_book, sequence) == 0, "rm_book.sequence");
_Static_assert(offsetof(struct rm_book, instrument) == 8, "rm_book.instrument");
_Static_assert(offsetof(struct rm_book, exchange_time_ns) == 16, "rm_book.exchange_time_ns");
_Static_assert(offsetof(struct rm_book, receive_time_ns) == 24, "rm_book.receive_time_ns");
_Static_assert(offsetof(struct rm_book, receive_realtime_ns) == 32, "rm_book.receive_realtime_ns");
_Static_assert(offsetof(struct rm_book, bid_count) == 40, "rm_book.bid_count");
_Static_assert(offsetof(struct rm_book, ask_count) == 48, "rm_book.ask_count");
_Static_assert(offsetof(struct rm_book, is_valid) == 56, "rm_book.is_valid");
_Static_assert(offsetof(struct rm_book, update_count) == 64, "rm_book.update_count");
_Static_assert(offsetof(struct rm_book, bid_price) == 72, "rm_book.bid_price");
_Static_assert(offsetof(struct rm_book, bid_size) == 152, "rm_book.bid_size");
_Static_assert(offsetof(struct rm_book, ask_price) == 232, "rm_book.ask_price");
_Static_assert(offsetof(struct rm_book, ask_size) == 312, "rm_book.ask_size");
_Static_assert(sizeof(struct rm_book) == 448, "rm_book");

/* The venue's ticker; a value that it did not send is NaN. */
#define RM_TICKER_TYPE_ID 3
#define RM_TICKER_LAYOUT_HASH INT64_C(0x08dec2f9c26c4b79)
struct rm_ticker {
    int64_t sequence;            /* owned by the ring or table; see the layout page */
    int64_t instrument;          /* row of the instruments table */
    int64_t exchange_time_ns;    /* venue's stamp, Unix ns; 0 when it sent none */
    int64_t receive_time_ns;     /* monotonic, when the frame's callback began in market_data */
    int64_t receive_realtime_ns; /* wall clock, Unix ns, at the same moment */
    double mark_price;           /* quote currency */
    double index_price;          /* quote currency */
    double last_price;           /* quote currency */
    double best_bid_price;       /* quote currency */
    double best_bid_size;        /* base units */
    double best_ask_price;       /* quote currency */
    double best_ask_size;        /* base units */
    double funding_rate;         /* fraction for 8 hours; positive: longs pay */
    double collar_low;           /* lowest ask that the venue accepts */
    double collar_high;          /* highest bid that the venue accepts */
    double open_interest;        /* base units */
    double forward_price;        /* quote currency, of the instrument's expiry; of a perpetual as the venue sends it */
    double funding_mark;         /* quote currency for one base unit long, funding since the last settlement */
    double mark_volatility;      /* of an option, fraction a year */
    double delta;                /* base units of the underlying for one base unit */
    char _reserved[32];
};
_Static_assert(offsetof(struct rm_ticker, sequence) == 0, "rm_ticker.sequence");
_Static_assert(offsetof(struct rm_ticker, instrument) == 8, "rm_ticker.instrument");
_Static_assert(offsetof(struct rm_ticker, exchange_time_ns) == 16, "rm_ticker.exchange_time_ns");
_Static_assert(offsetof(struct rm_ticker, receive_time_ns) == 24, "rm_ticker.receive_time_ns");
_Static_assert(offsetof(struct rm_ticker, receive_realtime_ns) == 32, "rm_ticker.receive_realtime_ns");
_Static_assert(offsetof(struct rm_ticker, mark_price) == 40, "rm_ticker.mark_price");
_Static_assert(offsetof(struct rm_ticker, index_price) == 48, "rm_ticker.index_price");
_Static_assert(offsetof(struct rm_ticker, last_price) == 56, "rm_ticker.last_price");
_Static_assert(offsetof(struct rm_ticker, best_bid_price) == 64, "rm_ticker.best_bid_price");
_Static_assert(offsetof(struct rm_ticker, best_bid_size) == 72, "rm_ticker.best_bid_size");
_Static_assert(offsetof(struct rm_ticker, best_ask_price) == 80, "rm_ticker.best_ask_price");
_Static_assert(offsetof(struct rm_ticker, best_ask_size) == 88, "rm_ticker.best_ask_size");
_Static_assert(offsetof(struct rm_ticker, funding_rate) == 96, "rm_ticker.funding_rate");
_Static_assert(offsetof(struct rm_ticker, collar_low) == 104, "rm_ticker.collar_low");
_Static_assert(offsetof(struct rm_ticker, collar_high) == 112, "rm_ticker.collar_high");
_Static_assert(offsetof(struct rm_ticker, open_interest) == 120, "rm_ticker.open_interest");
_Static_assert(offsetof(struct rm_ticker, forward_price) == 128, "rm_ticker.forward_price");
_Static_assert(offsetof(struct rm_ticker, funding_mark) == 136, "rm_ticker.funding_mark");
_Static_assert(offsetof(struct rm_ticker, mark_volatility) == 144, "rm_ticker.mark_volatility");
_Static_assert(offsetof(struct rm_ticker, delta) == 152, "rm_ticker.delta");
_Static_assert(sizeof(struct rm_ticker) == 192, "rm_ticker");

/* One public trade. */
#define RM_TRADE_TYPE_ID 4
#define RM_TRADE_LAYOUT_HASH INT64_C(0x70ea897c3c5a4921)
struct rm_trade {
    int64_t sequence;            /* owned by the ring or table; see the layout page */
    int64_t instrument;          /* row of the instruments table */
    int64_t exchange_time_ns;    /* venue's stamp, Unix ns; 0 when it sent none */
    int64_t receive_time_ns;     /* monotonic, when the frame's callback began in market_data */
    int64_t receive_realtime_ns; /* wall clock, Unix ns, at the same moment */
    double price;                /* quote currency */
    double size;                 /* base units */
    int64_t aggressor_side;      /* +1 the buyer crossed, -1 the seller */
};
_Static_assert(offsetof(struct rm_trade, sequence) == 0, "rm_trade.sequence");
_Static_assert(offsetof(struct rm_trade, instrument) == 8, "rm_trade.instrument");
_Static_assert(offsetof(struct rm_trade, exchange_time_ns) == 16, "rm_trade.exchange_time_ns");
_Static_assert(offsetof(struct rm_trade, receive_time_ns) == 24, "rm_trade.receive_time_ns");
_Static_assert(offsetof(struct rm_trade, receive_realtime_ns) == 32, "rm_trade.receive_realtime_ns");
_Static_assert(offsetof(struct rm_trade, price) == 40, "rm_trade.price");
_Static_assert(offsetof(struct rm_trade, size) == 48, "rm_trade.size");
_Static_assert(offsetof(struct rm_trade, aggressor_side) == 56, "rm_trade.aggressor_side");
_Static_assert(sizeof(struct rm_trade) == 64, "rm_trade");

/* The least that a simple reader wants, one row an instrument, written by strategy. */
#define RM_SHARED_MARKET_DATA_TYPE_ID 5
#define RM_SHARED_MARKET_DATA_LAYOUT_HASH INT64_C(0x16af07a93e8c20b6)
struct rm_shared_market_data {
    int64_t sequence;     /* owned by the ring or table; see the layout page */
    int64_t timestamp_ns; /* wall clock, Unix ns, of the book behind it */
    int64_t status;       /* 1 = live, 0 = stale or not yet known */
    double mid;           /* quote currency */
    double bid;           /* best bid, quote currency */
    double ask;           /* best ask, quote currency */
    double bid_size;      /* base units */
    double ask_size;      /* base units */
    double volatility;    /* σ of the mid, quote currency per √s */
    char _reserved[56];
};
_Static_assert(offsetof(struct rm_shared_market_data, sequence) == 0, "rm_shared_market_data.sequence");
_Static_assert(offsetof(struct rm_shared_market_data, timestamp_ns) == 8, "rm_shared_market_data.timestamp_ns");
_Static_assert(offsetof(struct rm_shared_market_data, status) == 16, "rm_shared_market_data.status");
_Static_assert(offsetof(struct rm_shared_market_data, mid) == 24, "rm_shared_market_data.mid");
_Static_assert(offsetof(struct rm_shared_market_data, bid) == 32, "rm_shared_market_data.bid");
_Static_assert(offsetof(struct rm_shared_market_data, ask) == 40, "rm_shared_market_data.ask");
_Static_assert(offsetof(struct rm_shared_market_data, bid_size) == 48, "rm_shared_market_data.bid_size");
_Static_assert(offsetof(struct rm_shared_market_data, ask_size) == 56, "rm_shared_market_data.ask_size");
_Static_assert(offsetof(struct rm_shared_market_data, volatility) == 64, "rm_shared_market_data.volatility");
_Static_assert(sizeof(struct rm_shared_market_data) == 128, "rm_shared_market_data");

/* Signs of life of the market-data connection, written by market_data. */
#define RM_FEED_TYPE_ID 6
#define RM_FEED_LAYOUT_HASH INT64_C(0x4bdba74599f6159f)
struct rm_feed {
    int64_t sequence;      /* owned by the ring or table; see the layout page */
    int64_t is_connected;  /* 1 while subscribed */
    int64_t alive_time_ns; /* monotonic, last frame of any kind (pong, index, data) */
    int64_t connections;   /* connections made since the start of the session */
    int64_t resyncs;       /* books thrown away and asked for again */
    char _reserved[24];
};
_Static_assert(offsetof(struct rm_feed, sequence) == 0, "rm_feed.sequence");
_Static_assert(offsetof(struct rm_feed, is_connected) == 8, "rm_feed.is_connected");
_Static_assert(offsetof(struct rm_feed, alive_time_ns) == 16, "rm_feed.alive_time_ns");
_Static_assert(offsetof(struct rm_feed, connections) == 24, "rm_feed.connections");
_Static_assert(offsetof(struct rm_feed, resyncs) == 32, "rm_feed.resyncs");
_Static_assert(sizeof(struct rm_feed) == 64, "rm_feed");

/* A price that no order book has: an index, or the forward of one expiry; what the venue did not send is NaN. */
#define RM_INDEX_TYPE_ID 7
#define RM_INDEX_LAYOUT_HASH INT64_C(0x65cc33079adc21d1)
struct rm_index {
    int64_t sequence;                 /* owned by the ring or table; see the layout page */
    char name[40];                    /* venue's name of the index; of a forward INDEX.YYYY-MM-DD */
    int64_t kind;                     /* 1 index, 2 forward */
    int64_t exchange_time_ns;         /* venue's stamp, Unix ns; 0 when it sent none */
    int64_t receive_time_ns;          /* monotonic, when the frame's callback began in market_data */
    int64_t receive_realtime_ns;      /* wall clock, Unix ns, at the same moment */
    double price;                     /* quote currency */
    double index_price;               /* of a forward: the index at that moment, quote currency */
    double index_delta;               /* of a forward: how far it moves with the index, 0 to 1 (falls before expiry) */
    double previous_settlement_price; /* of an index, quote currency */
    double expected_expiration_price; /* of an index, while today's expiry is averaged, quote currency */
    double expiration_progress;       /* of an index: part of that average which is done, 0 to 1 */
};
_Static_assert(offsetof(struct rm_index, sequence) == 0, "rm_index.sequence");
_Static_assert(offsetof(struct rm_index, name) == 8, "rm_index.name");
_Static_assert(offsetof(struct rm_index, kind) == 48, "rm_index.kind");
_Static_assert(offsetof(struct rm_index, exchange_time_ns) == 56, "rm_index.exchange_time_ns");
_Static_assert(offsetof(struct rm_index, receive_time_ns) == 64, "rm_index.receive_time_ns");
_Static_assert(offsetof(struct rm_index, receive_realtime_ns) == 72, "rm_index.receive_realtime_ns");
_Static_assert(offsetof(struct rm_index, price) == 80, "rm_index.price");
_Static_assert(offsetof(struct rm_index, index_price) == 88, "rm_index.index_price");
_Static_assert(offsetof(struct rm_index, index_delta) == 96, "rm_index.index_delta");
_Static_assert(offsetof(struct rm_index, previous_settlement_price) == 104, "rm_index.previous_settlement_price");
_Static_assert(offsetof(struct rm_index, expected_expiration_price) == 112, "rm_index.expected_expiration_price");
_Static_assert(offsetof(struct rm_index, expiration_progress) == 120, "rm_index.expiration_progress");
_Static_assert(sizeof(struct rm_index) == 128, "rm_index");

/* A closed volume candle of public trades, and the signals of strategy at its close; see docs/signals.md. */
#define RM_CANDLE_TYPE_ID 8
#define RM_CANDLE_LAYOUT_HASH INT64_C(0x12666fa7f1ad6aca)
struct rm_candle {
    int64_t sequence;             /* owned by the ring or table; see the layout page */
    int64_t instrument;           /* row of the instruments table */
    int64_t candle;               /* closed so far, this one included */
    int64_t is_fresh;             /* 1 = the first since the start or a gap */
    int64_t is_warm;              /* 1 = enough candles have closed for the signals */
    int64_t close_time_ns;        /* monotonic, of the trade or the book that closed it */
    int64_t close_realtime_ns;    /* wall clock, Unix ns, at the same moment */
    double open;                  /* quote currency, of the first trade */
    double high;                  /* quote currency */
    double low;                   /* quote currency */
    double close;                 /* quote currency, of the last trade */
    double bought;                /* base units, by aggressive buyers */
    double sold;                  /* base units, by aggressive sellers */
    double mid;                   /* quote currency, without our own size, at the close; NaN when there was none */
    double momentum;              /* -1 to 1 */
    double reversal;              /* -1 to 1, signed by its direction */
    double exhaustion;            /* -1 to 1, signed by its direction */
    double flow_imbalance;        /* -1 to 1, (bought - sold)/(bought + sold) of the flow window */
    double trend;                 /* -1 to 1 */
    double mean_reversion;        /* -1 to 1 */
    double user_signal;           /* -1 to 1, of the user's own function; 0 without one */
    double volatility;            /* 0 to 1 */
    double adx;                   /* 0 to 100; 0 until warm */
    double trade_intensity_per_s; /* public trades per second of the flow window */
};
_Static_assert(offsetof(struct rm_candle, sequence) == 0, "rm_candle.sequence");
_Static_assert(offsetof(struct rm_candle, instrument) == 8, "rm_candle.instrument");
_Static_assert(offsetof(struct rm_candle, candle) == 16, "rm_candle.candle");
_Static_assert(offsetof(struct rm_candle, is_fresh) == 24, "rm_candle.is_fresh");
_Static_assert(offsetof(struct rm_candle, is_warm) == 32, "rm_candle.is_warm");
_Static_assert(offsetof(struct rm_candle, close_time_ns) == 40, "rm_candle.close_time_ns");
_Static_assert(offsetof(struct rm_candle, close_realtime_ns) == 48, "rm_candle.close_realtime_ns");
_Static_assert(offsetof(struct rm_candle, open) == 56, "rm_candle.open");
_Static_assert(offsetof(struct rm_candle, high) == 64, "rm_candle.high");
_Static_assert(offsetof(struct rm_candle, low) == 72, "rm_candle.low");
_Static_assert(offsetof(struct rm_candle, close) == 80, "rm_candle.close");
_Static_assert(offsetof(struct rm_candle, bought) == 88, "rm_candle.bought");
_Static_assert(offsetof(struct rm_candle, sold) == 96, "rm_candle.sold");
_Static_assert(offsetof(struct rm_candle, mid) == 104, "rm_candle.mid");
_Static_assert(offsetof(struct rm_candle, momentum) == 112, "rm_candle.momentum");
_Static_assert(offsetof(struct rm_candle, reversal) == 120, "rm_candle.reversal");
_Static_assert(offsetof(struct rm_candle, exhaustion) == 128, "rm_candle.exhaustion");
_Static_assert(offsetof(struct rm_candle, flow_imbalance) == 136, "rm_candle.flow_imbalance");
_Static_assert(offsetof(struct rm_candle, trend) == 144, "rm_candle.trend");
_Static_assert(offsetof(struct rm_candle, mean_reversion) == 152, "rm_candle.mean_reversion");
_Static_assert(offsetof(struct rm_candle, user_signal) == 160, "rm_candle.user_signal");
_Static_assert(offsetof(struct rm_candle, volatility) == 168, "rm_candle.volatility");
_Static_assert(offsetof(struct rm_candle, adx) == 176, "rm_candle.adx");
_Static_assert(offsetof(struct rm_candle, trade_intensity_per_s) == 184, "rm_candle.trade_intensity_per_s");
_Static_assert(sizeof(struct rm_candle) == 192, "rm_candle");

/* The quotes that strategy wants resting now; execution brings the venue to the newest one. */
#define RM_WISH_TYPE_ID 100
#define RM_WISH_LAYOUT_HASH INT64_C(0x56bbd85634271cfe)
struct rm_wish {
    int64_t sequence;             /* owned by the ring or table; see the layout page */
    int64_t instrument;           /* row of the instruments table */
    int64_t wish_id;              /* grows by one with every wish of an instrument */
    int64_t strategy_epoch;       /* writer epoch of the strategy that wrote it */
    int64_t book_position;        /* position in the books ring that it was computed from */
    int64_t source_time_ns;       /* receive_time_ns of the book that caused it: the start of tick_to_order; 0 = no book did */
    int64_t computed_time_ns;     /* monotonic, when it was written */
    int64_t explanation_position; /* position of its explanation in the explanations ring */
    int64_t position_lots;        /* signed, that it was made for: fills since then have used up a part of it */
    int64_t bid_off_reason;       /* 0 = quoted, else an OffReason */
    int64_t ask_off_reason;       /* 0 = quoted, else an OffReason */
    int64_t bid_count;            /* levels of the bid side */
    int64_t ask_count;            /* levels of the ask side */
    int64_t bid_price_ticks[10];  /* best first */
    int64_t bid_size_lots[10];    /* unsigned */
    int64_t ask_price_ticks[10];  /* best first */
    int64_t ask_size_lots[10];    /* unsigned */
    char _reserved[24];
};
_Static_assert(offsetof(struct rm_wish, sequence) == 0, "rm_wish.sequence");
_Static_assert(offsetof(struct rm_wish, instrument) == 8, "rm_wish.instrument");
_Static_assert(offsetof(struct rm_wish, wish_id) == 16, "rm_wish.wish_id");
_Static_assert(offsetof(struct rm_wish, strategy_epoch) == 24, "rm_wish.strategy_epoch");
_Static_assert(offsetof(struct rm_wish, book_position) == 32, "rm_wish.book_position");
_Static_assert(offsetof(struct rm_wish, source_time_ns) == 40, "rm_wish.source_time_ns");
_Static_assert(offsetof(struct rm_wish, computed_time_ns) == 48, "rm_wish.computed_time_ns");
_Static_assert(offsetof(struct rm_wish, explanation_position) == 56, "rm_wish.explanation_position");
_Static_assert(offsetof(struct rm_wish, position_lots) == 64, "rm_wish.position_lots");
_Static_assert(offsetof(struct rm_wish, bid_off_reason) == 72, "rm_wish.bid_off_reason");
_Static_assert(offsetof(struct rm_wish, ask_off_reason) == 80, "rm_wish.ask_off_reason");
_Static_assert(offsetof(struct rm_wish, bid_count) == 88, "rm_wish.bid_count");
_Static_assert(offsetof(struct rm_wish, ask_count) == 96, "rm_wish.ask_count");
_Static_assert(offsetof(struct rm_wish, bid_price_ticks) == 104, "rm_wish.bid_price_ticks");
_Static_assert(offsetof(struct rm_wish, bid_size_lots) == 184, "rm_wish.bid_size_lots");
_Static_assert(offsetof(struct rm_wish, ask_price_ticks) == 264, "rm_wish.ask_price_ticks");
_Static_assert(offsetof(struct rm_wish, ask_size_lots) == 344, "rm_wish.ask_size_lots");
_Static_assert(sizeof(struct rm_wish) == 448, "rm_wish");

/* How a wish came about: every term of the quote, each clamp, which limit binds. */
#define RM_EXPLANATION_TYPE_ID 101
#define RM_EXPLANATION_LAYOUT_HASH INT64_C(0x18094e4669a6696a)
struct rm_explanation {
    int64_t sequence;              /* owned by the ring or table; see the layout page */
    int64_t instrument;            /* row of the instruments table */
    int64_t wish_id;               /* the wish explained */
    int64_t computed_time_ns;      /* monotonic */
    int64_t computed_realtime_ns;  /* wall clock, Unix ns */
    int64_t book_position;         /* position in the books ring */
    int64_t trade_position;        /* public trades seen so far (positions of the trades ring) */
    int64_t params_hash;           /* hash of the parameter record */
    int64_t state_hash;            /* hash of the state record after this quote */
    int64_t clamp_flags;           /* bits of ClampFlag */
    int64_t bid_off_reason;        /* 0 = quoted, else an OffReason */
    int64_t ask_off_reason;        /* 0 = quoted, else an OffReason */
    int64_t sigma_is_measured;     /* 1 = estimated, 0 = prior */
    int64_t arrivals_are_measured; /* 1 = A and κ were fitted to trades, 2 = κ to the book, 0 = priors */
    int64_t impact_is_measured;    /* 1 = estimated from public trades, 0 = as configured */
    int64_t position_lots;         /* signed holdings */
    int64_t best_bid_ticks;        /* touch without our own size */
    int64_t best_ask_ticks;        /* touch without our own size */
    int64_t quote_bid_ticks;       /* our best bid after rounding; 0 when off */
    int64_t quote_ask_ticks;       /* our best ask after rounding; 0 when off */
    double mid_price;              /* without our own size, quote currency */
    double micro_price;            /* without our own size, quote currency */
    double fair_price;             /* the price that the model centres on */
    double reservation_price;      /* fair price shifted by inventory */
    double position;               /* signed, base units */
    double net_delta;              /* of the underlying over all instruments, base units; NaN when not known */
    double inventory;              /* what the skew looks at, base units: position, net delta, or a mix */
    double sigma;                  /* quote currency per √s, as used */
    double arrival_rate;           /* A, 1/s, as used */
    double arrival_decay;          /* κ, 1/quote currency, as used */
    double risk_aversion;          /* γ, 1/quote currency, as used */
    double half_spread_model;      /* quote currency, the model's own */
    double half_spread_fee_floor;  /* quote currency, least that covers fees and margin */
    double half_spread;            /* quote currency, after every adjustment of both sides */
    double skew_per_unit;          /* quote currency per base unit held */
    double skew;                   /* quote currency, the shift that the position makes */
    double mark_price;             /* quote currency, as the venue sends it; NaN = unknown or old */
    double index_price;            /* quote currency; NaN = unknown or old */
    double basis;                  /* average of mid - index, quote currency */
    double funding;                /* quote currency that the fair price lost to funding */
    double horizon_s;              /* s to go, of the models that have a horizon */
    double drift;                  /* expected drift of the mid, quote currency per s */
    double drift_shift;            /* quote currency */
    double gamma_factor;           /* what volatility over its base made of the configured risk aversion */
    double market_stress;          /* 1 = none */
    double gamma_signal_factor;    /* what the signals made of risk aversion */
    double sigma_signal_factor;    /* what the signals made of volatility */
    double decay_signal_factor;    /* what the signals made of the arrival decay */
    double impact_per_base;        /* quote currency that the mid moves for a base unit traded, measured or configured */
    double impact_error;           /* its standard error */
    double market_impact;          /* quote currency added to the half-spread for it; 0 when switched off */
    double flow_factor;            /* of the half-spread, for one-sided flow */
    double trade_intensity_per_s;  /* public trades per second of the signals' flow window; NaN while they are off */
    double signal_shift;           /* quote currency, of the reservation price */
    double inventory_cost;         /* quote currency, shift for the time that the position was held */
    double displacement_factor;    /* of both half-spreads, after a move */
    double bid_asymmetry_factor;   /* of the bid's half-spread, for the short-term move */
    double ask_asymmetry_factor;   /* of the ask's half-spread */
    double bid_fill_factor;        /* of the bid's half-spread, for one-sided fills */
    double ask_fill_factor;        /* of the ask's half-spread */
    double bid_size_factor;        /* what the signals made of the bids' sizes */
    double ask_size_factor;        /* what the signals made of the asks' sizes */
    double bid_price;              /* quote currency, before it is rounded and kept off the book */
    double ask_price;              /* quote currency, before it is rounded and kept off the book */
};
_Static_assert(offsetof(struct rm_explanation, sequence) == 0, "rm_explanation.sequence");
_Static_assert(offsetof(struct rm_explanation, instrument) == 8, "rm_explanation.instrument");
_Static_assert(offsetof(struct rm_explanation, wish_id) == 16, "rm_explanation.wish_id");
_Static_assert(offsetof(struct rm_explanation, computed_time_ns) == 24, "rm_explanation.computed_time_ns");
_Static_assert(offsetof(struct rm_explanation, computed_realtime_ns) == 32, "rm_explanation.computed_realtime_ns");
_Static_assert(offsetof(struct rm_explanation, book_position) == 40, "rm_explanation.book_position");
_Static_assert(offsetof(struct rm_explanation, trade_position) == 48, "rm_explanation.trade_position");
_Static_assert(offsetof(struct rm_explanation, params_hash) == 56, "rm_explanation.params_hash");
_Static_assert(offsetof(struct rm_explanation, state_hash) == 64, "rm_explanation.state_hash");
_Static_assert(offsetof(struct rm_explanation, clamp_flags) == 72, "rm_explanation.clamp_flags");
_Static_assert(offsetof(struct rm_explanation, bid_off_reason) == 80, "rm_explanation.bid_off_reason");
_Static_assert(offsetof(struct rm_explanation, ask_off_reason) == 88, "rm_explanation.ask_off_reason");
_Static_assert(offsetof(struct rm_explanation, sigma_is_measured) == 96, "rm_explanation.sigma_is_measured");
_Static_assert(offsetof(struct rm_explanation, arrivals_are_measured) == 104, "rm_explanation.arrivals_are_measured");
_Static_assert(offsetof(struct rm_explanation, impact_is_measured) == 112, "rm_explanation.impact_is_measured");
_Static_assert(offsetof(struct rm_explanation, position_lots) == 120, "rm_explanation.position_lots");
_Static_assert(offsetof(struct rm_explanation, best_bid_ticks) == 128, "rm_explanation.best_bid_ticks");
_Static_assert(offsetof(struct rm_explanation, best_ask_ticks) == 136, "rm_explanation.best_ask_ticks");
_Static_assert(offsetof(struct rm_explanation, quote_bid_ticks) == 144, "rm_explanation.quote_bid_ticks");
_Static_assert(offsetof(struct rm_explanation, quote_ask_ticks) == 152, "rm_explanation.quote_ask_ticks");
_Static_assert(offsetof(struct rm_explanation, mid_price) == 160, "rm_explanation.mid_price");
_Static_assert(offsetof(struct rm_explanation, micro_price) == 168, "rm_explanation.micro_price");
_Static_assert(offsetof(struct rm_explanation, fair_price) == 176, "rm_explanation.fair_price");
_Static_assert(offsetof(struct rm_explanation, reservation_price) == 184, "rm_explanation.reservation_price");
_Static_assert(offsetof(struct rm_explanation, position) == 192, "rm_explanation.position");
_Static_assert(offsetof(struct rm_explanation, net_delta) == 200, "rm_explanation.net_delta");
_Static_assert(offsetof(struct rm_explanation, inventory) == 208, "rm_explanation.inventory");
_Static_assert(offsetof(struct rm_explanation, sigma) == 216, "rm_explanation.sigma");
_Static_assert(offsetof(struct rm_explanation, arrival_rate) == 224, "rm_explanation.arrival_rate");
_Static_assert(offsetof(struct rm_explanation, arrival_decay) == 232, "rm_explanation.arrival_decay");
_Static_assert(offsetof(struct rm_explanation, risk_aversion) == 240, "rm_explanation.risk_aversion");
_Static_assert(offsetof(struct rm_explanation, half_spread_model) == 248, "rm_explanation.half_spread_model");
_Static_assert(offsetof(struct rm_explanation, half_spread_fee_floor) == 256, "rm_explanation.half_spread_fee_floor");
_Static_assert(offsetof(struct rm_explanation, half_spread) == 264, "rm_explanation.half_spread");
_Static_assert(offsetof(struct rm_explanation, skew_per_unit) == 272, "rm_explanation.skew_per_unit");
_Static_assert(offsetof(struct rm_explanation, skew) == 280, "rm_explanation.skew");
_Static_assert(offsetof(struct rm_explanation, mark_price) == 288, "rm_explanation.mark_price");
_Static_assert(offsetof(struct rm_explanation, index_price) == 296, "rm_explanation.index_price");
_Static_assert(offsetof(struct rm_explanation, basis) == 304, "rm_explanation.basis");
_Static_assert(offsetof(struct rm_explanation, funding) == 312, "rm_explanation.funding");
_Static_assert(offsetof(struct rm_explanation, horizon_s) == 320, "rm_explanation.horizon_s");
_Static_assert(offsetof(struct rm_explanation, drift) == 328, "rm_explanation.drift");
_Static_assert(offsetof(struct rm_explanation, drift_shift) == 336, "rm_explanation.drift_shift");
_Static_assert(offsetof(struct rm_explanation, gamma_factor) == 344, "rm_explanation.gamma_factor");
_Static_assert(offsetof(struct rm_explanation, market_stress) == 352, "rm_explanation.market_stress");
_Static_assert(offsetof(struct rm_explanation, gamma_signal_factor) == 360, "rm_explanation.gamma_signal_factor");
_Static_assert(offsetof(struct rm_explanation, sigma_signal_factor) == 368, "rm_explanation.sigma_signal_factor");
_Static_assert(offsetof(struct rm_explanation, decay_signal_factor) == 376, "rm_explanation.decay_signal_factor");
_Static_assert(offsetof(struct rm_explanation, impact_per_base) == 384, "rm_explanation.impact_per_base");
_Static_assert(offsetof(struct rm_explanation, impact_error) == 392, "rm_explanation.impact_error");
_Static_assert(offsetof(struct rm_explanation, market_impact) == 400, "rm_explanation.market_impact");
_Static_assert(offsetof(struct rm_explanation, flow_factor) == 408, "rm_explanation.flow_factor");
_Static_assert(offsetof(struct rm_explanation, trade_intensity_per_s) == 416, "rm_explanation.trade_intensity_per_s");
_Static_assert(offsetof(struct rm_explanation, signal_shift) == 424, "rm_explanation.signal_shift");
_Static_assert(offsetof(struct rm_explanation, inventory_cost) == 432, "rm_explanation.inventory_cost");
_Static_assert(offsetof(struct rm_explanation, displacement_factor) == 440, "rm_explanation.displacement_factor");
_Static_assert(offsetof(struct rm_explanation, bid_asymmetry_factor) == 448, "rm_explanation.bid_asymmetry_factor");
_Static_assert(offsetof(struct rm_explanation, ask_asymmetry_factor) == 456, "rm_explanation.ask_asymmetry_factor");
_Static_assert(offsetof(struct rm_explanation, bid_fill_factor) == 464, "rm_explanation.bid_fill_factor");
_Static_assert(offsetof(struct rm_explanation, ask_fill_factor) == 472, "rm_explanation.ask_fill_factor");
_Static_assert(offsetof(struct rm_explanation, bid_size_factor) == 480, "rm_explanation.bid_size_factor");
_Static_assert(offsetof(struct rm_explanation, ask_size_factor) == 488, "rm_explanation.ask_size_factor");
_Static_assert(offsetof(struct rm_explanation, bid_price) == 496, "rm_explanation.bid_price");
_Static_assert(offsetof(struct rm_explanation, ask_price) == 504, "rm_explanation.ask_price");
_Static_assert(sizeof(struct rm_explanation) == 512, "rm_explanation");

/* What happened to one of our orders, written by execution: answers, fills, cancels. */
#define RM_ORDER_EVENT_TYPE_ID 102
#define RM_ORDER_EVENT_LAYOUT_HASH INT64_C(0x63484dd99b2cb75f)
struct rm_order_event {
    int64_t sequence;          /* owned by the ring or table; see the layout page */
    int64_t kind;              /* an OrderEventKind */
    int64_t instrument;        /* row of the instruments table */
    int64_t client_order_id;   /* ours */
    int64_t side;              /* +1 buy, -1 sell */
    int64_t price_ticks;       /* limit price; of a fill its own price */
    int64_t size_lots;         /* total size of the order; of a fill its own size */
    int64_t remaining_lots;    /* still working after this event */
    int64_t position_lots;     /* signed holdings after this event */
    int64_t leg_index;         /* of a fill; 0 for single instruments */
    int64_t liquidity_side;    /* of a fill: 1 maker, 2 taker */
    int64_t venue_code;        /* error code of a rejection */
    int64_t exchange_time_ns;  /* venue's stamp, Unix ns; 0 when none */
    int64_t local_time_ns;     /* monotonic */
    int64_t local_realtime_ns; /* wall clock, Unix ns */
    int64_t wish_id;           /* the wish that led to it; 0 when none did */
    char venue_order_id[40];   /* theirs */
    char trade_id[40];         /* of a fill */
    char reason[40];           /* of a cancel: the venue's word for it; empty when it gave none */
    char _reserved[8];
};
_Static_assert(offsetof(struct rm_order_event, sequence) == 0, "rm_order_event.sequence");
_Static_assert(offsetof(struct rm_order_event, kind) == 8, "rm_order_event.kind");
_Static_assert(offsetof(struct rm_order_event, instrument) == 16, "rm_order_event.instrument");
_Static_assert(offsetof(struct rm_order_event, client_order_id) == 24, "rm_order_event.client_order_id");
_Static_assert(offsetof(struct rm_order_event, side) == 32, "rm_order_event.side");
_Static_assert(offsetof(struct rm_order_event, price_ticks) == 40, "rm_order_event.price_ticks");
_Static_assert(offsetof(struct rm_order_event, size_lots) == 48, "rm_order_event.size_lots");
_Static_assert(offsetof(struct rm_order_event, remaining_lots) == 56, "rm_order_event.remaining_lots");
_Static_assert(offsetof(struct rm_order_event, position_lots) == 64, "rm_order_event.position_lots");
_Static_assert(offsetof(struct rm_order_event, leg_index) == 72, "rm_order_event.leg_index");
_Static_assert(offsetof(struct rm_order_event, liquidity_side) == 80, "rm_order_event.liquidity_side");
_Static_assert(offsetof(struct rm_order_event, venue_code) == 88, "rm_order_event.venue_code");
_Static_assert(offsetof(struct rm_order_event, exchange_time_ns) == 96, "rm_order_event.exchange_time_ns");
_Static_assert(offsetof(struct rm_order_event, local_time_ns) == 104, "rm_order_event.local_time_ns");
_Static_assert(offsetof(struct rm_order_event, local_realtime_ns) == 112, "rm_order_event.local_realtime_ns");
_Static_assert(offsetof(struct rm_order_event, wish_id) == 120, "rm_order_event.wish_id");
_Static_assert(offsetof(struct rm_order_event, venue_order_id) == 128, "rm_order_event.venue_order_id");
_Static_assert(offsetof(struct rm_order_event, trade_id) == 168, "rm_order_event.trade_id");
_Static_assert(offsetof(struct rm_order_event, reason) == 208, "rm_order_event.reason");
_Static_assert(sizeof(struct rm_order_event) == 256, "rm_order_event");

/* The hedge of one underlying, a row for each section [hedge.UNDERLYING]; written by the strategy that decides it. */
#define RM_HEDGE_TYPE_ID 104
#define RM_HEDGE_LAYOUT_HASH INT64_C(0x5d043087e0d06994)
struct rm_hedge {
    int64_t sequence;        /* owned by the ring or table; see the layout page */
    char underlying[40];     /* as the configuration names it */
    int64_t instrument;      /* what is traded: row of the instruments table */
    int64_t updated_time_ns; /* monotonic */
    int64_t state;           /* a HedgeState: 1 idle, 2 under way, 3 in the pause after one */
    int64_t hedges;          /* begun by this start of the strategy */
    double net_delta;        /* base units of the traded instrument; NaN while not known */
    double target;           /* net delta that a hedge leads to */
    double band;             /* distance from the target at which one begins */
    double last_hedged;      /* signed size that the last one traded */
    char _reserved[16];
};
_Static_assert(offsetof(struct rm_hedge, sequence) == 0, "rm_hedge.sequence");
_Static_assert(offsetof(struct rm_hedge, underlying) == 8, "rm_hedge.underlying");
_Static_assert(offsetof(struct rm_hedge, instrument) == 48, "rm_hedge.instrument");
_Static_assert(offsetof(struct rm_hedge, updated_time_ns) == 56, "rm_hedge.updated_time_ns");
_Static_assert(offsetof(struct rm_hedge, state) == 64, "rm_hedge.state");
_Static_assert(offsetof(struct rm_hedge, hedges) == 72, "rm_hedge.hedges");
_Static_assert(offsetof(struct rm_hedge, net_delta) == 80, "rm_hedge.net_delta");
_Static_assert(offsetof(struct rm_hedge, target) == 88, "rm_hedge.target");
_Static_assert(offsetof(struct rm_hedge, band) == 96, "rm_hedge.band");
_Static_assert(offsetof(struct rm_hedge, last_hedged) == 104, "rm_hedge.last_hedged");
_Static_assert(sizeof(struct rm_hedge) == 128, "rm_hedge");

/* A copy of a quoter's state, for a strategy that is restarted. Two rows an instrument, written in turn. */
#define RM_STRATEGY_STATE_TYPE_ID 103
#define RM_STRATEGY_STATE_LAYOUT_HASH INT64_C(0x6bf9c881f189889b)
struct rm_strategy_state {
    int64_t sequence;        /* owned by the ring or table; see the layout page */
    int64_t instrument;      /* row of the instruments table */
    int64_t generation;      /* grows by one with every copy: of two good ones the larger is newer */
    int64_t strategy_epoch;  /* start of the strategy that saved it */
    int64_t is_resumed;      /* 1 when that start itself began from a copy */
    int64_t started_time_ns; /* monotonic, when that start began */
    int64_t saved_time_ns;   /* monotonic */
    int64_t layout_hash;     /* of the state's fields; a copy of another layout is not taken */
    int64_t checksum;        /* hash of `words` */
    int64_t words[3072];     /* the state, see trading/quoting/records.py */
    char _reserved[56];
};
_Static_assert(offsetof(struct rm_strategy_state, sequence) == 0, "rm_strategy_state.sequence");
_Static_assert(offsetof(struct rm_strategy_state, instrument) == 8, "rm_strategy_state.instrument");
_Static_assert(offsetof(struct rm_strategy_state, generation) == 16, "rm_strategy_state.generation");
_Static_assert(offsetof(struct rm_strategy_state, strategy_epoch) == 24, "rm_strategy_state.strategy_epoch");
_Static_assert(offsetof(struct rm_strategy_state, is_resumed) == 32, "rm_strategy_state.is_resumed");
_Static_assert(offsetof(struct rm_strategy_state, started_time_ns) == 40, "rm_strategy_state.started_time_ns");
_Static_assert(offsetof(struct rm_strategy_state, saved_time_ns) == 48, "rm_strategy_state.saved_time_ns");
_Static_assert(offsetof(struct rm_strategy_state, layout_hash) == 56, "rm_strategy_state.layout_hash");
_Static_assert(offsetof(struct rm_strategy_state, checksum) == 64, "rm_strategy_state.checksum");
_Static_assert(offsetof(struct rm_strategy_state, words) == 72, "rm_strategy_state.words");
_Static_assert(sizeof(struct rm_strategy_state) == 24704, "rm_strategy_state");

/* Everything that the quote of one wish was computed from, for computing it again; only where a recorder runs. */
#define RM_QUOTE_INPUTS_TYPE_ID 105
#define RM_QUOTE_INPUTS_LAYOUT_HASH INT64_C(0x6acbd4c1fbdaeab7)
struct rm_quote_inputs {
    int64_t sequence;             /* owned by the ring or table; see the layout page */
    int64_t instrument;           /* row of the instruments table */
    int64_t wish_id;              /* the wish computed from it */
    int64_t explanation_position; /* position of its explanation in the explanations ring */
    int64_t computed_realtime_ns; /* wall clock, Unix ns */
    int64_t words_used;           /* of `words` */
    int64_t words[3072];          /* roles of a quoter before the quote, see trading/quoting/inputs.py */
    char _reserved[16];
};
_Static_assert(offsetof(struct rm_quote_inputs, sequence) == 0, "rm_quote_inputs.sequence");
_Static_assert(offsetof(struct rm_quote_inputs, instrument) == 8, "rm_quote_inputs.instrument");
_Static_assert(offsetof(struct rm_quote_inputs, wish_id) == 16, "rm_quote_inputs.wish_id");
_Static_assert(offsetof(struct rm_quote_inputs, explanation_position) == 24, "rm_quote_inputs.explanation_position");
_Static_assert(offsetof(struct rm_quote_inputs, computed_realtime_ns) == 32, "rm_quote_inputs.computed_realtime_ns");
_Static_assert(offsetof(struct rm_quote_inputs, words_used) == 40, "rm_quote_inputs.words_used");
_Static_assert(offsetof(struct rm_quote_inputs, words) == 48, "rm_quote_inputs.words");
_Static_assert(sizeof(struct rm_quote_inputs) == 24640, "rm_quote_inputs");

/* Our holdings and working orders in one instrument, as the venue confirmed them to execution. */
#define RM_ACCOUNT_TYPE_ID 200
#define RM_ACCOUNT_LAYOUT_HASH INT64_C(0x2953c7467f510124)
struct rm_account {
    int64_t sequence;            /* owned by the ring or table; see the layout page */
    int64_t instrument;          /* row of the instruments table */
    int64_t updated_time_ns;     /* monotonic */
    int64_t is_known;            /* 1 once recovered from the venue; 0 = treat as exposed */
    int64_t position_lots;       /* signed holdings */
    int64_t pending_buy_lots;    /* sent, not yet confirmed or refused */
    int64_t pending_sell_lots;   /* sent, not yet confirmed or refused */
    int64_t fill_count;          /* distinct fills of this session */
    int64_t bid_count;           /* levels of the bid side */
    int64_t ask_count;           /* levels of the ask side */
    int64_t bid_price_ticks[10]; /* best first */
    int64_t bid_size_lots[10];   /* unsigned */
    int64_t ask_price_ticks[10]; /* best first */
    int64_t ask_size_lots[10];   /* unsigned */
    int64_t session_time_ns;     /* monotonic, when the first wish for this instrument was seen */
    int64_t bid_quoted_ns;       /* time with a bid open at the venue */
    int64_t ask_quoted_ns;       /* time with an ask open at the venue */
    int64_t bid_allowed_ns;      /* time in which no limit, pause or filter took the bid away */
    int64_t ask_allowed_ns;      /* time in which no limit, pause or filter took the ask away */
    int64_t accounted_time_ns;   /* monotonic, up to which the four times above are counted */
};
_Static_assert(offsetof(struct rm_account, sequence) == 0, "rm_account.sequence");
_Static_assert(offsetof(struct rm_account, instrument) == 8, "rm_account.instrument");
_Static_assert(offsetof(struct rm_account, updated_time_ns) == 16, "rm_account.updated_time_ns");
_Static_assert(offsetof(struct rm_account, is_known) == 24, "rm_account.is_known");
_Static_assert(offsetof(struct rm_account, position_lots) == 32, "rm_account.position_lots");
_Static_assert(offsetof(struct rm_account, pending_buy_lots) == 40, "rm_account.pending_buy_lots");
_Static_assert(offsetof(struct rm_account, pending_sell_lots) == 48, "rm_account.pending_sell_lots");
_Static_assert(offsetof(struct rm_account, fill_count) == 56, "rm_account.fill_count");
_Static_assert(offsetof(struct rm_account, bid_count) == 64, "rm_account.bid_count");
_Static_assert(offsetof(struct rm_account, ask_count) == 72, "rm_account.ask_count");
_Static_assert(offsetof(struct rm_account, bid_price_ticks) == 80, "rm_account.bid_price_ticks");
_Static_assert(offsetof(struct rm_account, bid_size_lots) == 160, "rm_account.bid_size_lots");
_Static_assert(offsetof(struct rm_account, ask_price_ticks) == 240, "rm_account.ask_price_ticks");
_Static_assert(offsetof(struct rm_account, ask_size_lots) == 320, "rm_account.ask_size_lots");
_Static_assert(offsetof(struct rm_account, session_time_ns) == 400, "rm_account.session_time_ns");
_Static_assert(offsetof(struct rm_account, bid_quoted_ns) == 408, "rm_account.bid_quoted_ns");
_Static_assert(offsetof(struct rm_account, ask_quoted_ns) == 416, "rm_account.ask_quoted_ns");
_Static_assert(offsetof(struct rm_account, bid_allowed_ns) == 424, "rm_account.bid_allowed_ns");
_Static_assert(offsetof(struct rm_account, ask_allowed_ns) == 432, "rm_account.ask_allowed_ns");
_Static_assert(offsetof(struct rm_account, accounted_time_ns) == 440, "rm_account.accounted_time_ns");
_Static_assert(sizeof(struct rm_account) == 448, "rm_account");

/* The limits now in force for one instrument; only risk writes it; older than 500 ms it closes the gate. */
#define RM_LIMITS_TYPE_ID 201
#define RM_LIMITS_LAYOUT_HASH INT64_C(0x4f2d02b6356865c4)
struct rm_limits {
    int64_t sequence;            /* owned by the ring or table; see the layout page */
    int64_t instrument;          /* row of the instruments table */
    int64_t written_time_ns;     /* monotonic */
    int64_t state;               /* a TradingState */
    int64_t reason;              /* a RiskReason: why the state is not active */
    int64_t is_position_known;   /* 1 when the venue has told risk the position */
    int64_t position_lots;       /* signed, as risk knows it from the venue */
    int64_t order_lots_max;      /* largest single order */
    int64_t position_lots_max;   /* largest |position| incl. working orders */
    int64_t open_orders_max;     /* in this instrument */
    int64_t order_rate_max;      /* inserts and amends in any one second, all instruments */
    int64_t levels_max;          /* levels of each side that may be quoted */
    int64_t duplicate_window_ns; /* the same order again is refused for so long, and until the first is answered */
    int64_t room_reason;         /* a RiskReason: which limit makes gross_notional_room what it is */
    double order_notional_max;   /* quote currency */
    double gross_notional_room;  /* quote currency that new exposure may still add over all instruments */
    double net_long_room;        /* quote currency that buying may still add to the signed notional of all instruments */
    double net_short_room;       /* quote currency that selling may still take from it */
    double mark_price;           /* quote currency; NaN when unknown */
    double collar_low;           /* lowest price of any order */
    double collar_high;          /* highest price of any order */
    char _reserved[24];
};
_Static_assert(offsetof(struct rm_limits, sequence) == 0, "rm_limits.sequence");
_Static_assert(offsetof(struct rm_limits, instrument) == 8, "rm_limits.instrument");
_Static_assert(offsetof(struct rm_limits, written_time_ns) == 16, "rm_limits.written_time_ns");
_Static_assert(offsetof(struct rm_limits, state) == 24, "rm_limits.state");
_Static_assert(offsetof(struct rm_limits, reason) == 32, "rm_limits.reason");
_Static_assert(offsetof(struct rm_limits, is_position_known) == 40, "rm_limits.is_position_known");
_Static_assert(offsetof(struct rm_limits, position_lots) == 48, "rm_limits.position_lots");
_Static_assert(offsetof(struct rm_limits, order_lots_max) == 56, "rm_limits.order_lots_max");
_Static_assert(offsetof(struct rm_limits, position_lots_max) == 64, "rm_limits.position_lots_max");
_Static_assert(offsetof(struct rm_limits, open_orders_max) == 72, "rm_limits.open_orders_max");
_Static_assert(offsetof(struct rm_limits, order_rate_max) == 80, "rm_limits.order_rate_max");
_Static_assert(offsetof(struct rm_limits, levels_max) == 88, "rm_limits.levels_max");
_Static_assert(offsetof(struct rm_limits, duplicate_window_ns) == 96, "rm_limits.duplicate_window_ns");
_Static_assert(offsetof(struct rm_limits, room_reason) == 104, "rm_limits.room_reason");
_Static_assert(offsetof(struct rm_limits, order_notional_max) == 112, "rm_limits.order_notional_max");
_Static_assert(offsetof(struct rm_limits, gross_notional_room) == 120, "rm_limits.gross_notional_room");
_Static_assert(offsetof(struct rm_limits, net_long_room) == 128, "rm_limits.net_long_room");
_Static_assert(offsetof(struct rm_limits, net_short_room) == 136, "rm_limits.net_short_room");
_Static_assert(offsetof(struct rm_limits, mark_price) == 144, "rm_limits.mark_price");
_Static_assert(offsetof(struct rm_limits, collar_low) == 152, "rm_limits.collar_low");
_Static_assert(offsetof(struct rm_limits, collar_high) == 160, "rm_limits.collar_high");
_Static_assert(sizeof(struct rm_limits) == 192, "rm_limits");

/* What risk knows of the whole account; `*_exact` sum up the rows of `pnl` with the same written_time_ns, and are empty while one of them is not known. */
#define RM_RISK_TYPE_ID 202
#define RM_RISK_LAYOUT_HASH INT64_C(0x7487f1553b07055e)
struct rm_risk {
    int64_t sequence;          /* owned by the ring or table; see the layout page */
    int64_t written_time_ns;   /* monotonic */
    int64_t state;             /* a TradingState */
    int64_t reason;            /* a RiskReason */
    int64_t is_kill_latched;   /* 1 until an operator resumes */
    int64_t is_connected;      /* 1 while risk's own venue connection lives */
    int64_t open_orders;       /* ours, as the venue shows them */
    double equity;             /* quote currency, profit and loss since the session began */
    double equity_peak;        /* highest equity of the session */
    double realised_pnl;       /* quote currency, before fees */
    double unrealised_pnl;     /* quote currency */
    double fees;               /* quote currency, paid is positive */
    double funding;            /* quote currency, received is positive */
    double gross_notional;     /* quote currency */
    double net_notional;       /* quote currency */
    double value_at_risk;      /* quote currency, by [risk]; NaN while σ of something held is unknown */
    double expected_shortfall; /* quote currency, by [risk]; NaN likewise */
    char realised_exact[40];   /* decimal, quote currency, before fees */
    char unrealised_exact[40]; /* decimal, quote currency */
    char fees_exact[40];       /* decimal, quote currency, paid is positive */
    char funding_exact[40];    /* decimal, quote currency, received is positive */
    char total_exact[40];      /* decimal, quote currency: realised + unrealised - fees + funding */
    char _reserved[48];
};
_Static_assert(offsetof(struct rm_risk, sequence) == 0, "rm_risk.sequence");
_Static_assert(offsetof(struct rm_risk, written_time_ns) == 8, "rm_risk.written_time_ns");
_Static_assert(offsetof(struct rm_risk, state) == 16, "rm_risk.state");
_Static_assert(offsetof(struct rm_risk, reason) == 24, "rm_risk.reason");
_Static_assert(offsetof(struct rm_risk, is_kill_latched) == 32, "rm_risk.is_kill_latched");
_Static_assert(offsetof(struct rm_risk, is_connected) == 40, "rm_risk.is_connected");
_Static_assert(offsetof(struct rm_risk, open_orders) == 48, "rm_risk.open_orders");
_Static_assert(offsetof(struct rm_risk, equity) == 56, "rm_risk.equity");
_Static_assert(offsetof(struct rm_risk, equity_peak) == 64, "rm_risk.equity_peak");
_Static_assert(offsetof(struct rm_risk, realised_pnl) == 72, "rm_risk.realised_pnl");
_Static_assert(offsetof(struct rm_risk, unrealised_pnl) == 80, "rm_risk.unrealised_pnl");
_Static_assert(offsetof(struct rm_risk, fees) == 88, "rm_risk.fees");
_Static_assert(offsetof(struct rm_risk, funding) == 96, "rm_risk.funding");
_Static_assert(offsetof(struct rm_risk, gross_notional) == 104, "rm_risk.gross_notional");
_Static_assert(offsetof(struct rm_risk, net_notional) == 112, "rm_risk.net_notional");
_Static_assert(offsetof(struct rm_risk, value_at_risk) == 120, "rm_risk.value_at_risk");
_Static_assert(offsetof(struct rm_risk, expected_shortfall) == 128, "rm_risk.expected_shortfall");
_Static_assert(offsetof(struct rm_risk, realised_exact) == 136, "rm_risk.realised_exact");
_Static_assert(offsetof(struct rm_risk, unrealised_exact) == 176, "rm_risk.unrealised_exact");
_Static_assert(offsetof(struct rm_risk, fees_exact) == 216, "rm_risk.fees_exact");
_Static_assert(offsetof(struct rm_risk, funding_exact) == 256, "rm_risk.funding_exact");
_Static_assert(offsetof(struct rm_risk, total_exact) == 296, "rm_risk.total_exact");
_Static_assert(sizeof(struct rm_risk) == 384, "rm_risk");

/* Profit and loss of the run in one instrument, by risk's own ledger: the venue's trades, fees and funding. */
#define RM_PNL_TYPE_ID 204
#define RM_PNL_LAYOUT_HASH INT64_C(0x431442808e973585)
struct rm_pnl {
    int64_t sequence;          /* owned by the ring or table; see the layout page */
    int64_t instrument;        /* row of the instruments table */
    int64_t written_time_ns;   /* monotonic; the same in all rows and in `risk` that belong together */
    int64_t is_known;          /* 0 = something is held and its mark is missing */
    double realised;           /* quote currency, for display */
    double unrealised;         /* quote currency, for display */
    double fees;               /* quote currency, for display */
    double funding;            /* quote currency, for display */
    double total;              /* quote currency, for display */
    char realised_exact[40];   /* decimal, quote currency, before fees */
    char unrealised_exact[40]; /* decimal, quote currency */
    char fees_exact[40];       /* decimal, quote currency, paid is positive */
    char funding_exact[40];    /* decimal, quote currency, received is positive */
    char total_exact[40];      /* decimal, quote currency: realised + unrealised - fees + funding */
    char _reserved[48];
};
_Static_assert(offsetof(struct rm_pnl, sequence) == 0, "rm_pnl.sequence");
_Static_assert(offsetof(struct rm_pnl, instrument) == 8, "rm_pnl.instrument");
_Static_assert(offsetof(struct rm_pnl, written_time_ns) == 16, "rm_pnl.written_time_ns");
_Static_assert(offsetof(struct rm_pnl, is_known) == 24, "rm_pnl.is_known");
_Static_assert(offsetof(struct rm_pnl, realised) == 32, "rm_pnl.realised");
_Static_assert(offsetof(struct rm_pnl, unrealised) == 40, "rm_pnl.unrealised");
_Static_assert(offsetof(struct rm_pnl, fees) == 48, "rm_pnl.fees");
_Static_assert(offsetof(struct rm_pnl, funding) == 56, "rm_pnl.funding");
_Static_assert(offsetof(struct rm_pnl, total) == 64, "rm_pnl.total");
_Static_assert(offsetof(struct rm_pnl, realised_exact) == 72, "rm_pnl.realised_exact");
_Static_assert(offsetof(struct rm_pnl, unrealised_exact) == 112, "rm_pnl.unrealised_exact");
_Static_assert(offsetof(struct rm_pnl, fees_exact) == 152, "rm_pnl.fees_exact");
_Static_assert(offsetof(struct rm_pnl, funding_exact) == 192, "rm_pnl.funding_exact");
_Static_assert(offsetof(struct rm_pnl, total_exact) == 232, "rm_pnl.total_exact");
_Static_assert(sizeof(struct rm_pnl) == 320, "rm_pnl");

/* How the mids of two instruments move together; measured by risk, one row a pair a < b. */
#define RM_COMOVEMENT_TYPE_ID 203
#define RM_COMOVEMENT_LAYOUT_HASH INT64_C(0x7224e37c468f7050)
struct rm_comovement {
    int64_t sequence;        /* owned by the ring or table; see the layout page */
    int64_t instrument_a;    /* row of the instruments table */
    int64_t instrument_b;    /* row of the instruments table, larger */
    int64_t updated_time_ns; /* monotonic, of the newest return */
    int64_t samples;         /* returns taken in */
    int64_t is_warm;         /* 1 = enough of them to be used */
    double variance_a;       /* of log returns, 1/s */
    double variance_b;       /* of log returns, 1/s */
    double covariance;       /* of log returns, 1/s */
    double correlation;      /* -1 to 1; NaN while one has not moved */
    double beta_a_on_b;      /* return of a for one of b; NaN while b has not moved */
    double beta_b_on_a;      /* return of b for one of a; NaN while a has not moved */
    double weight;           /* sum of the weights of the returns, for a risk that is restarted */
    char _reserved[24];
};
_Static_assert(offsetof(struct rm_comovement, sequence) == 0, "rm_comovement.sequence");
_Static_assert(offsetof(struct rm_comovement, instrument_a) == 8, "rm_comovement.instrument_a");
_Static_assert(offsetof(struct rm_comovement, instrument_b) == 16, "rm_comovement.instrument_b");
_Static_assert(offsetof(struct rm_comovement, updated_time_ns) == 24, "rm_comovement.updated_time_ns");
_Static_assert(offsetof(struct rm_comovement, samples) == 32, "rm_comovement.samples");
_Static_assert(offsetof(struct rm_comovement, is_warm) == 40, "rm_comovement.is_warm");
_Static_assert(offsetof(struct rm_comovement, variance_a) == 48, "rm_comovement.variance_a");
_Static_assert(offsetof(struct rm_comovement, variance_b) == 56, "rm_comovement.variance_b");
_Static_assert(offsetof(struct rm_comovement, covariance) == 64, "rm_comovement.covariance");
_Static_assert(offsetof(struct rm_comovement, correlation) == 72, "rm_comovement.correlation");
_Static_assert(offsetof(struct rm_comovement, beta_a_on_b) == 80, "rm_comovement.beta_a_on_b");
_Static_assert(offsetof(struct rm_comovement, beta_b_on_a) == 88, "rm_comovement.beta_b_on_a");
_Static_assert(offsetof(struct rm_comovement, weight) == 96, "rm_comovement.weight");
_Static_assert(sizeof(struct rm_comovement) == 128, "rm_comovement");

/* One row for each segment of a session: the single thing that a stranger has to find. */
#define RM_DIRECTORY_TYPE_ID 300
#define RM_DIRECTORY_LAYOUT_HASH INT64_C(0x6eaf3d97ebf2c0d0)
struct rm_directory {
    int64_t sequence;    /* owned by the ring or table; see the layout page */
    char segment[40];    /* short name, e.g. `books` */
    char record[40];     /* record type */
    char writer[40];     /* actor that writes it */
    int64_t kind;        /* 1 ring, 2 table */
    int64_t capacity;    /* slots or rows */
    int64_t layout_hash; /* of the record type */
    char _reserved[40];
};
_Static_assert(offsetof(struct rm_directory, sequence) == 0, "rm_directory.sequence");
_Static_assert(offsetof(struct rm_directory, segment) == 8, "rm_directory.segment");
_Static_assert(offsetof(struct rm_directory, record) == 48, "rm_directory.record");
_Static_assert(offsetof(struct rm_directory, writer) == 88, "rm_directory.writer");
_Static_assert(offsetof(struct rm_directory, kind) == 128, "rm_directory.kind");
_Static_assert(offsetof(struct rm_directory, capacity) == 136, "rm_directory.capacity");
_Static_assert(offsetof(struct rm_directory, layout_hash) == 144, "rm_directory.layout_hash");
_Static_assert(sizeof(struct rm_directory) == 192, "rm_directory");

/* Sign of life of one actor, written from its work loop. */
#define RM_HEARTBEAT_TYPE_ID 301
#define RM_HEARTBEAT_LAYOUT_HASH INT64_C(0x6089c0a6ae81b786)
struct rm_heartbeat {
    int64_t sequence;        /* owned by the ring or table; see the layout page */
    int64_t pid;             /* process id */
    int64_t epoch;           /* 1 for the first start, one more for every restart */
    int64_t phase;           /* 0 none, 1 starting, 2 live, 3 stopping, 4 starting and compiling kernels */
    int64_t beat_time_ns;    /* monotonic */
    int64_t started_time_ns; /* monotonic */
    int64_t loops;           /* duty cycles so far */
    int64_t core;            /* core that it is pinned to; -1 = shared */
};
_Static_assert(offsetof(struct rm_heartbeat, sequence) == 0, "rm_heartbeat.sequence");
_Static_assert(offsetof(struct rm_heartbeat, pid) == 8, "rm_heartbeat.pid");
_Static_assert(offsetof(struct rm_heartbeat, epoch) == 16, "rm_heartbeat.epoch");
_Static_assert(offsetof(struct rm_heartbeat, phase) == 24, "rm_heartbeat.phase");
_Static_assert(offsetof(struct rm_heartbeat, beat_time_ns) == 32, "rm_heartbeat.beat_time_ns");
_Static_assert(offsetof(struct rm_heartbeat, started_time_ns) == 40, "rm_heartbeat.started_time_ns");
_Static_assert(offsetof(struct rm_heartbeat, loops) == 48, "rm_heartbeat.loops");
_Static_assert(offsetof(struct rm_heartbeat, core) == 56, "rm_heartbeat.core");
_Static_assert(sizeof(struct rm_heartbeat) == 64, "rm_heartbeat");

/* Event counts of one actor; the names stand in runtime/topology.py. */
#define RM_COUNTERS_TYPE_ID 302
#define RM_COUNTERS_LAYOUT_HASH INT64_C(0x721a62b67e80bd87)
struct rm_counters {
    int64_t sequence;  /* owned by the ring or table; see the layout page */
    int64_t value[56]; /* counts, only growing */
    char _reserved[56];
};
_Static_assert(offsetof(struct rm_counters, sequence) == 0, "rm_counters.sequence");
_Static_assert(offsetof(struct rm_counters, value) == 8, "rm_counters.value");
_Static_assert(sizeof(struct rm_counters) == 512, "rm_counters");

/* Latency of one stage: log-linear buckets, 16 to the octave; see shm/histogram.py. */
#define RM_HISTOGRAM_TYPE_ID 303
#define RM_HISTOGRAM_LAYOUT_HASH INT64_C(0x3e2ca88f49b4f313)
struct rm_histogram {
    int64_t sequence;    /* owned by the ring or table; see the layout page */
    char stage[40];      /* name of the stage */
    int64_t count;       /* samples */
    int64_t sum_ns;      /* ns */
    int64_t max_ns;      /* ns */
    int64_t bucket[640]; /* samples for each bucket */
    char _reserved[56];
};
_Static_assert(offsetof(struct rm_histogram, sequence) == 0, "rm_histogram.sequence");
_Static_assert(offsetof(struct rm_histogram, stage) == 8, "rm_histogram.stage");
_Static_assert(offsetof(struct rm_histogram, count) == 48, "rm_histogram.count");
_Static_assert(offsetof(struct rm_histogram, sum_ns) == 56, "rm_histogram.sum_ns");
_Static_assert(offsetof(struct rm_histogram, max_ns) == 64, "rm_histogram.max_ns");
_Static_assert(offsetof(struct rm_histogram, bucket) == 72, "rm_histogram.bucket");
_Static_assert(sizeof(struct rm_histogram) == 5248, "rm_histogram");

/* What the recorder is at; one row. */
#define RM_RECORDER_TYPE_ID 304
#define RM_RECORDER_LAYOUT_HASH INT64_C(0x2b38ecbaf9f01a33)
struct rm_recorder {
    int64_t sequence;                  /* owned by the ring or table; see the layout page */
    int64_t updated_time_ns;           /* monotonic */
    int64_t is_writing;                /* 1 = what comes is written; 0 = the disk does not take it */
    int64_t trouble_since_realtime_ns; /* wall clock, Unix ns, since when the disk does not; 0 = it does */
    int64_t rows;                      /* written to recordings since the start of this process */
    int64_t lost;                      /* records of rings overwritten before they were read, since the start of this process */
    int64_t behind;                    /* records published and not read yet, over all rings */
    char trouble[40];                  /* what the disk says; empty = nothing */
    char _reserved[32];
};
_Static_assert(offsetof(struct rm_recorder, sequence) == 0, "rm_recorder.sequence");
_Static_assert(offsetof(struct rm_recorder, updated_time_ns) == 8, "rm_recorder.updated_time_ns");
_Static_assert(offsetof(struct rm_recorder, is_writing) == 16, "rm_recorder.is_writing");
_Static_assert(offsetof(struct rm_recorder, trouble_since_realtime_ns) == 24, "rm_recorder.trouble_since_realtime_ns");
_Static_assert(offsetof(struct rm_recorder, rows) == 32, "rm_recorder.rows");
_Static_assert(offsetof(struct rm_recorder, lost) == 40, "rm_recorder.lost");
_Static_assert(offsetof(struct rm_recorder, behind) == 48, "rm_recorder.behind");
_Static_assert(offsetof(struct rm_recorder, trouble) == 56, "rm_recorder.trouble");
_Static_assert(sizeof(struct rm_recorder) == 128, "rm_recorder");

/* Return 1 when the mapped segment of `mapped_bytes` bytes is one of ours, of this layout and of this record. */
static inline int rm_check(const struct rm_header *header, size_t mapped_bytes, int64_t kind, int64_t layout_hash) {
    return mapped_bytes >= RM_HEADER_BYTES && header->magic == RM_MAGIC && header->kind == kind &&
           header->layout_version == RM_LAYOUT_VERSION && header->layout_hash == layout_hash &&
           mapped_bytes >= RM_HEADER_BYTES + (size_t)header->capacity * (size_t)header->slot_bytes;
}

static inline int64_t rm_load(const int64_t *word) {
    return atomic_load_explicit((const _Atomic int64_t *)word, memory_order_acquire);
}

static inline const char *rm_slot(const struct rm_header *header, int64_t index) {
    return (const char *)header + RM_HEADER_BYTES + index * header->slot_bytes;
}

/* Copy the record of `*position` to `record` and move on. Return 1; 0 when it is not published yet. When it was
 * overwritten, `*position` moves to the oldest record kept and `*lost` grows by what was skipped. */
static inline int rm_ring_read(const struct rm_header *header, int64_t *position, int64_t *lost, void *record) {
    for (;;) {
        const int64_t head = rm_load(&header->head);
        const char *slot;
        if (*position >= head) return 0;
        if (head - *position > header->capacity) {
            *lost += head - header->capacity - *position;
            *position = head - header->capacity;
        }
        slot = rm_slot(header, *position & (header->capacity - 1));
        memcpy(record, slot, (size_t)header->slot_bytes);
        atomic_thread_fence(memory_order_acquire);
        if (rm_load((const int64_t *)slot) == *position + 1) {
            *position += 1;
            return 1;
        }
        *position += 1; /* overtaken during the copy */
        *lost += 1;
    }
}

/* Copy a row to `record`. Return its sequence, 0 when it was never written, -1 when it stayed half-written over
 * `tries` tries: its writer is stopped or dead. */
static inline int64_t rm_table_read(const struct rm_header *header, int64_t row, int tries, void *record) {
    const char *slot = rm_slot(header, row);
    while (tries-- > 0) {
        const int64_t before = rm_load((const int64_t *)slot);
        if (before & 1) continue;
        memcpy(record, slot, (size_t)header->slot_bytes);
        atomic_thread_fence(memory_order_acquire);
        if (rm_load((const int64_t *)slot) == before) return before;
    }
    return -1;
}

#endif
