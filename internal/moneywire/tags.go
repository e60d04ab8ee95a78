package moneywire

// Wire types, in the lowest 3 bits of a tag.
const (
	number = 0 // varint
	text   = 2 // length and bytes
)

// Tags, a field's number and its wire type, of a SubmitStreamRequest.
const (
	RequestTag        = 1<<3 | number
	RequestOperations = 2<<3 | text
	RequestTimeout    = 3<<3 | number
)

// Tags of an Operation.
const (
	OperationID        = 1<<3 | text
	OperationAttempt   = 2<<3 | number
	OperationIssuedAt  = 3<<3 | number
	OperationEventTime = 4<<3 | number
	OperationCode      = 5<<3 | number
	OperationReference = 6<<3 | text
	OperationLinked    = 7<<3 | number
	OperationIfVersion = 8<<3 | number
	OperationCredit    = 10<<3 | text
	OperationDebit     = 11<<3 | text
	OperationTransfer  = 12<<3 | text
)

// Tags of a Credit and of a Debit.
const (
	MovementAccount = 1<<3 | text
	MovementAmount  = 2<<3 | number
)

// Tags of a Transfer.
const (
	TransferDebit  = 1<<3 | text
	TransferCredit = 2<<3 | text
	TransferAmount = 3<<3 | number
)

// Tags of a SubmitStreamResponse.
const (
	AnswerTag      = 1<<3 | number
	AnswerResponse = 2<<3 | text
)

// Tags of a SubmitResponse.
const (
	ResponseResults = 1<<3 | text
	ResponseLogTime = 2<<3 | number
)

// Tags of a Result.
const (
	ResultCode         = 1<<3 | number
	ResultReplayed     = 2<<3 | number
	ResultAttempt      = 3<<3 | number
	ResultSequence     = 4<<3 | number
	ResultDebitPosted  = 5<<3 | number
	ResultCreditPosted = 6<<3 | number
	ResultAvailable    = 7<<3 | number
	ResultAsked        = 8<<3 | number
	ResultAccount      = 9<<3 | text
	ResultFailedMember = 10<<3 | number
	ResultAmount       = 11<<3 | number
	ResultVersion      = 12<<3 | number
)
