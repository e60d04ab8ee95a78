package access

import (
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// Rules is the table. A call that is not in it is refused, and a test fails.
func Rules() Table {
	var (
		reader   = Rule{Least: tlsauth.Reader}
		writer   = Rule{Least: tlsauth.Writer}
		operator = Rule{Least: tlsauth.Operator}
		// look: operators alone may, because it tells much or costs something; nothing is changed.
		look = Rule{Least: tlsauth.Operator, Looks: true}
		// member: among members only; no client, whatever its role, speaks raft.
		member = Rule{Least: tlsauth.Member}
		// anyone: clients of every role, and members, which ask each other how they are.
		anyone = Rule{Least: tlsauth.Reader, Members: true}
	)
	return Table{
		ballastv1.MoneyService_Submit_FullMethodName:         writer,
		ballastv1.MoneyService_SubmitStream_FullMethodName:   writer,
		ballastv1.MoneyService_GetAccounts_FullMethodName:    reader,
		ballastv1.MoneyService_ListAccounts_FullMethodName:   reader,
		ballastv1.MoneyService_GetStatement_FullMethodName:   reader,
		ballastv1.MoneyService_GetOperation_FullMethodName:   reader,
		ballastv1.MoneyService_ListLedgers_FullMethodName:    reader,
		ballastv1.MoneyService_GetHold_FullMethodName:        reader,
		ballastv1.MoneyService_ListHolds_FullMethodName:      reader,
		ballastv1.MoneyService_LeaseTopUps_FullMethodName:    writer,
		ballastv1.MoneyService_GetTopUp_FullMethodName:       reader,
		ballastv1.MoneyService_ListTopUps_FullMethodName:     reader,
		ballastv1.MoneyService_GetTopUpPolicy_FullMethodName: reader,
		ballastv1.MoneyService_Watch_FullMethodName:          reader,
		ballastv1.MoneyService_GetPastBalance_FullMethodName: reader,

		ballastv1.BooksService_ExportAccounts_FullMethodName: reader,
		ballastv1.BooksService_ExportEntries_FullMethodName:  reader,

		ballastv1.OperatorService_Status_FullMethodName:              anyone,
		ballastv1.OperatorService_GetSettings_FullMethodName:         reader,
		ballastv1.OperatorService_GetSettingsHistory_FullMethodName:  reader,
		ballastv1.OperatorService_SetSettings_FullMethodName:         operator,
		ballastv1.OperatorService_TakeSnapshot_FullMethodName:        operator,
		ballastv1.OperatorService_Bootstrap_FullMethodName:           operator,
		ballastv1.OperatorService_AddMember_FullMethodName:           operator,
		ballastv1.OperatorService_PromoteMember_FullMethodName:       operator,
		ballastv1.OperatorService_RemoveMember_FullMethodName:        operator,
		ballastv1.OperatorService_TransferLeadership_FullMethodName:  operator,
		ballastv1.OperatorService_RaiseClusterVersion_FullMethodName: operator,
		ballastv1.OperatorService_Backup_FullMethodName:              operator,
		ballastv1.OperatorService_InspectSnapshot_FullMethodName:     operator,
		ballastv1.OperatorService_MendClock_FullMethodName:           operator,
		ballastv1.OperatorService_GetAudit_FullMethodName:            look,
		ballastv1.OperatorService_Examine_FullMethodName:             look,
		// It takes data away, as a backup does.
		ballastv1.OperatorService_CollectDebug_FullMethodName: operator,

		raftv1.RaftService_AppendEntries_FullMethodName:         member,
		raftv1.RaftService_AppendEntriesPipeline_FullMethodName: member,
		raftv1.RaftService_RequestVote_FullMethodName:           member,
		raftv1.RaftService_RequestPreVote_FullMethodName:        member,
		raftv1.RaftService_TimeoutNow_FullMethodName:            member,
		raftv1.RaftService_InstallSnapshot_FullMethodName:       member,
		raftv1.RaftService_FetchPages_FullMethodName:            member,
		raftv1.RaftService_FetchManifest_FullMethodName:         member,
		raftv1.RaftService_FetchJournal_FullMethodName:          member,
		raftv1.RaftService_ConfirmTerm_FullMethodName:           member,
		raftv1.RaftService_Checkpoints_FullMethodName:           member,
		raftv1.RaftService_Census_FullMethodName:                member,

		grpc_health_v1.Health_Check_FullMethodName: anyone,
		grpc_health_v1.Health_List_FullMethodName:  anyone,
		grpc_health_v1.Health_Watch_FullMethodName: anyone,

		reflectionv1.ServerReflection_ServerReflectionInfo_FullMethodName:      reader,
		reflectionv1alpha.ServerReflection_ServerReflectionInfo_FullMethodName: reader,
	}
}
